/** Where spans go. With secrets in it, for the connection only. */
export interface TracingSettings {
  readonly otlp: {
    /** of the receiver of traces, its path included */
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly timeoutMs: number
  }
  /** 0 to 1: of traces that begin here, those that are recorded */
  readonly ratio: number
  readonly serviceName: string
  /** whose keys these are */
  readonly service: string
}
