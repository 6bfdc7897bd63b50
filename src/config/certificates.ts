import { readFile } from 'node:fs/promises'
import { wrongValue, type Locate, type Mistake } from './mistakes.ts'
import type { Draft } from './schema.ts'

/** What the files say that a configuration names, by their names: read once, so that what is in force does not change under it. */
export type Certificates = ReadonlyMap<string, string>

export async function readCertificates({ sinks }: Draft, locate: Locate): Promise<{ readonly certificates: Certificates, readonly mistakes: readonly Mistake[] }> {
  const certificates = new Map<string, string>()
  const mistakes: Mistake[] = []
  for (const [name, sink] of Object.entries(sinks ?? {})) {
    const tls = sink?.kafka?.tls
    if (typeof tls !== 'object' || tls.ca_file === undefined) continue
    const text = await readFile(tls.ca_file, 'utf8').catch(() => '')
    const path = ['sinks', name, 'kafka', 'tls', 'ca_file']
    if (text.includes('-----BEGIN CERTIFICATE-----')) certificates.set(tls.ca_file, text)
    else mistakes.push(wrongValue(locate(path), path, 'a file with certificates (PEM) that can be read'))
  }
  return { certificates, mistakes }
}
