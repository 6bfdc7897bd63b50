import t from 'tap'
import { startReceiver } from '../sink/webhook-receiver.ts'
import { webhookTo } from '../sink/webhook-situation.ts'
import { sinkContract } from './sink.ts'

sinkContract(t, {
  async open(t, timeoutMs) {
    const receiver = await startReceiver(t)
    const url = new URL(receiver.url)
    url.username = 'poster'
    url.password = 'pass%20word'
    return {
      sink: webhookTo(t, url, { timeoutMs, headers: [['x-api-key', 'token-1234']] }),
      async arrivals(count) {
        await receiver.arrived(count)
        return receiver.received.map(({ headers, body }) => {
          const { partitionkey } = JSON.parse(body.toString('utf8')) as { partitionkey: string }
          return { id: String(headers['webhook-id']), lane: partitionkey, body }
        })
      },
      shut: receiver.shut,
      async silence() { receiver.answer = () => undefined },
      tooLarge: null,
      secrets: ['token-1234', 'poster', 'pass%20word', 'pass word'],
    }
  },
})
