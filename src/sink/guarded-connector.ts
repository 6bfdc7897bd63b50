import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import { StrayContinue } from '../core/stray-continue.ts'

export type LookupAll = (hostname: string, options: LookupAllOptions, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void

/** The name of the receiver leads to an address where nothing may be delivered. */
export class InsideAddress extends Error {
  readonly address: string
  constructor(address: string) {
    super(`${address} is an address inside`)
    this.address = address
  }
}

export interface ConnectorOptions {
  readonly timeoutMs: number
  readonly isRefused: (address: string) => boolean
  readonly lookup?: LookupAll
}

/**
 * Connects to addresses that were checked, and to no others: the check is part of the look-up whose result the socket
 * connects to, so that a name which is answered differently the next time (DNS rebinding) gains nothing.
 */
export function guardedConnector({ timeoutMs, isRefused, lookup = systemLookup }: ConnectorOptions): buildConnector.connector {
  // rejectUnauthorized is the default, unless an environment variable of node's says otherwise
  const connect = buildConnector({ timeout: timeoutMs, lookup: checkedLookup(lookup, isRefused), rejectUnauthorized: true })
  return (target, callback) => {
    // A literal address is looked up by nobody.
    if (isIP(target.hostname) !== 0 && isRefused(target.hostname)) {
      queueMicrotask(() => callback(new InsideAddress(target.hostname), null))
      return
    }
    connect(target, (...result) => {
      if (result[0] === null) filterContinues(result[1])
      callback(...result)
    })
  }
}

function checkedLookup(lookup: LookupAll, isRefused: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '')
      const open = addresses.filter(({ address }) => !isRefused(address))
      const [first] = open
      if (first === undefined) return callback(new InsideAddress(addresses[0]?.address ?? 'none'), '')
      if (options.all === true) return callback(null, open)
      callback(null, first.address, first.family)
    })
  }
}

type Written = (error?: Error | null) => void

/** Our requests are written whole before anything is read, so every write says that the head of a reply comes next. */
function filterContinues(socket: Socket): void {
  const strayContinue = new StrayContinue()
  const read = socket.read.bind(socket)
  const write = socket.write.bind(socket)
  socket.read = (size?: number): unknown => strayContinue.filter(read(size))
  socket.write = (bytes: string | Uint8Array, coding?: BufferEncoding | Written, written?: Written): boolean => {
    strayContinue.expectHead()
    return typeof coding === 'function' ? write(bytes, coding) : write(bytes, coding, written)
  }
}
