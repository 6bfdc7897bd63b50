import { createServer } from 'node:http'

/** The service behind, as cheap as node can be: a fixed reply, the body read and thrown away. Says its port to its parent. */
const REPLY = Buffer.from(JSON.stringify({ id: 'ch_3Pq1mP2eZvKYlo2C0TtXWl4x', object: 'charge', amount: 2000, currency: 'eur', status: 'succeeded', paid: true, captured: true, description: 'one charge among many' }))

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': REPLY.length })
    response.end(REPLY)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.({ port: address.port })
})
