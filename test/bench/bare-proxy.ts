import httpProxy from '@fastify/http-proxy'
import { fastify } from 'fastify'

/** The yardstick: @fastify/http-proxy with nothing around it, no logs, no metrics, its hidden retries off. */
const app = fastify({ logger: false })
app.register(httpProxy, { upstream: process.argv[2] ?? '', retryMethods: [], disableRequestLogging: true, undici: { connections: 256, pipelining: 1 } })
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
if (address !== null && typeof address === 'object') process.send?.({ port: address.port })
