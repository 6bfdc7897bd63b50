import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Takes traces by OTLP over HTTP and reads none of them. */
const server = createServer((request, response) => {
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')).resume()
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
