import type { Checked } from './check-schema.ts'
import { FORMATS } from './formats.ts'
import { wrongValue, type Locate, type Mistake } from './mistakes.ts'
import { nearest } from './nearest.ts'
import type { Draft } from './schema.ts'
import { columnsOf } from './sources.ts'

type Source = NonNullable<NonNullable<NonNullable<Draft['outbox']>['sources']>[string]>

/** What no single field of a source can get wrong. */
export function checkSources({ draft, refused }: Pick<Checked, 'draft' | 'refused'>, locate: Locate): Mistake[] {
  const names = Object.keys(draft.sinks ?? {})
  return Object.entries(draft.outbox?.sources ?? {}).flatMap(([name, written]) => {
    const source: Source = written ?? {}
    const at = ['outbox', 'sources', name]
    const mistakes: Mistake[] = []
    if (FORMATS.get('sink-name')?.accepts(name) !== true) mistakes.push(wrongValue({ ...locate(at, 'name'), found: name }, at, FORMATS.get('sink-name')?.expected ?? ''))
    if (source.sink !== undefined && !names.includes(source.sink)) {
      const path = [...at, 'sink']
      mistakes.push(wrongValue(locate(path), path, names.length === 0 ? 'a name under sinks, and there are none' : `a name under sinks: ${names.join(', ')}`, nearest(source.sink, names)))
    }
    if (source.postgres !== undefined && /^[^/]*\/\/(?:[^@/?#]*@)?[^/?#]*,/.test(source.postgres)) {
      const path = [...at, 'postgres']
      mistakes.push(wrongValue({ ...locate(path), found: 'a text that is not shown' }, path, 'one host: what a replica says of missing numbers is not what the primary says'))
    }
    if (refused([...at, 'columns']) || refused([...at, 'preset']) || refused([...at, 'type'])) return mistakes
    const columns = columnsOf({ order: '', ...source })
    if (columns.payload === null) mistakes.push(wrongValue({ ...locate(at, 'name'), found: 'no column for payload' }, [...at, 'columns'], 'columns.payload, or preset: debezium'))
    if (columns.type === null && source.type === undefined) mistakes.push(wrongValue({ ...locate(at, 'name'), found: 'no column for type' }, [...at, 'columns'], 'columns.type, type, or preset: debezium'))
    return mistakes
  })
}
