/** A kind of text that the schema names with `format`. */
export interface Format {
  /** what would be right, to follow "needed:" */
  readonly expected: string
  readonly accepts: (text: string) => boolean
  /** what was probably meant, nearest first */
  readonly suggest?: (text: string) => readonly string[]
  /** what was written instead is in no message: it may be the secret with one character too many */
  readonly secret?: true
  /** a number to compare with `formatMinimum` and `formatMaximum` */
  readonly measure?: (text: string) => number | undefined
}
