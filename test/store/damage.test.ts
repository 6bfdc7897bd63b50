import { test } from 'tap'
import { damagePages, OF_KEYS } from './damaged-pages.ts'

test('a flipped byte in the database, outside of the keys', (t) => damagePages(t, (kind) => !OF_KEYS.test(kind)))
