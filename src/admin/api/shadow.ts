import { SHADOW_OUTCOMES, type ShadowCounts } from '../../core/shadow.ts'
import { COUNT, listOf, objectOf, TEXT, type Resource } from './resource.ts'

/** What routes in shadow mode would have done, as this process has counted it since its start. */
export function shadowResources(counts: ShadowCounts): readonly Resource[] {
  return [{
    method: 'GET', path: '/shadow', id: 'getShadow', summary: 'What enforcement would have done on the routes in shadow mode, since this process started.',
    answer: listOf(objectOf({ route: TEXT, outcomes: objectOf(Object.fromEntries(SHADOW_OUTCOMES.map((outcome) => [outcome, COUNT]))) })),
    handle: () => Promise.resolve({ items: counts.counts(), next: null }),
  }]
}
