import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { findOrInstall, findProgram, say } from './programs.ts'

/*
 * Where Apache Kafka comes from: a distribution on this machine (KAFKA_HOME, or one in /opt/kafka), else the jars by Maven, once a
 * machine and version, into the user's cache. Both need a Java.
 */

export interface KafkaJars {
  readonly java: string
  /** as java takes it */
  readonly classPath: string
  readonly from: string
}

const POM = join(import.meta.dirname, 'kafka', 'pom.xml')
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
/** 44 MB; a registry that hangs must not hang the tests. */
const DOWNLOAD_WITHIN_MS = 240_000

let found: KafkaJars | null | undefined

export function findKafka(): KafkaJars | null {
  return found ??= find()
}

function find(): KafkaJars | null {
  const installed = [process.env['KAFKA_HOME'], '/opt/kafka'].find((folder) => folder !== undefined && existsSync(join(folder, 'libs')))
  const java = findOrInstall(() => findProgram('java'), 'default-jre-headless')
  if (java === null) return null
  if (installed !== undefined) return { java, classPath: join(installed, 'libs', '*'), from: installed }
  const folder = cached()
  return folder === null ? null : { java, classPath: join(folder, '*'), from: `Maven's jars in ${folder}` }
}

function cached(): string | null {
  const version = /<version>([^<]+)</.exec(readFileSync(POM, 'utf8'))?.[1] ?? 'unknown'
  const final = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'onceward', `kafka-${version}`)
  if (existsSync(final)) return final
  const maven = findOrInstall(() => findProgram('mvn'), 'maven')
  if (maven === null) return null
  mkdirSync(dirname(final), { recursive: true })
  // A registry's hiccup is no reason to test nothing: one more try.
  return download(maven, final) ?? download(maven, final)
}

/** Several who try at once do not meet half of it: the folder appears when it is complete. */
function download(maven: string, final: string): string | null {
  say(`fetching the jars of Kafka into ${final}`)
  const part = mkdtempSync(`${final}-part-`)
  const { status, stdout } = spawnSync(maven, ['-q', '-B', '-f', POM, COPY, '-DincludeScope=runtime', `-DoutputDirectory=${part}`], { encoding: 'utf8', timeout: DOWNLOAD_WITHIN_MS })
  try {
    if (status !== 0) {
      say(`Maven could not fetch Kafka: ${stdout.trim().slice(-300)}`)
      return null
    }
    renameSync(part, final)
    return final
  } catch (error) {
    if (existsSync(final)) return final // somebody else was faster
    throw error
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}
