import { createServer } from 'node:http'

/** A webhook receiver as cheap as node can be: the body read and thrown away, 204. Says its port to its parent. */
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume()
  request.on('end', () => response.writeHead(204).end())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.({ port: address.port })
})
