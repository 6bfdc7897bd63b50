import { join } from 'node:path'
import { startProduct } from '../product.ts'
import { alternate, loadCase } from '../rounds.ts'
import { forked, Scene } from '../scene.ts'
import { print, type Bar } from '../table.ts'

/*
 * What seeing costs: CPU per new key with nothing counted, written or traced, beside that of the product as shipped, and with traces, in
 * one run and in rounds that alternate. Exit code 1 if a bar is missed.
 *
 *     npm run bench:overhead
 */

const UNSEEN = 'new key, unseen'
const SHIPPED = 'new key, metrics and logs'
const TRACED = 'new key, and traces of 10 %'
const COURSE = { warmUp: 3, rounds: 9, ms: 2000 } as const

const BARS: Readonly<Record<string, readonly Bar[]>> = { [SHIPPED]: [{ kind: 'cpu', of: UNSEEN, atMost: 1.08 }] }

const scene = new Scene()
try {
  const upstream = await forked(scene, 'upstream.ts', [])
  const unseen = await startProduct(scene, { upstream, name: 'unseen', more: { log: { level: 'silent' } }, program: join(import.meta.dirname, 'unseen.ts') })
  const shipped = await startProduct(scene, { upstream, name: 'shipped' })
  const collector = await forked(scene, 'overhead/collector.ts', [])
  const traced = await startProduct(scene, { upstream, name: 'traced', more: { tracing: { otlp: { url: `http://127.0.0.1:${collector.port}/v1/traces` }, sample: '10%' } } })
  const results = await alternate([loadCase(UNSEEN, unseen, 'new'), loadCase(SHIPPED, shipped, 'new'), loadCase(TRACED, traced, 'new')], COURSE)
  process.exitCode = print(results, BARS) ? 0 : 1
} finally {
  await scene.end()
}
