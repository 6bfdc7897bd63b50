/** True if the text of a test file declares a test of this title: `test('...'`, `suite.test('...'` or `` test(`...` ``. */
export function hasTest(text: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => text.includes(`test(${quote}${title}${quote}`))
}
