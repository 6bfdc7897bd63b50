import { test } from 'tap'
import { damagePages, OF_KEYS } from './damaged-pages.ts'

test('a flipped byte in the table of keys or in one of its indexes', (t) => damagePages(t, (kind) => OF_KEYS.test(kind)))
