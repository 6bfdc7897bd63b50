/** Nothing is done for an operator, and why: a sentence. */
export class Declined extends Error {}
