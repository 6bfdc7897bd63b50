/** One URL for each server of `postgres://user@a:1,b:2/db?...`, which is what libpq understands and URL does not. */
export function serverUrls(url: string): string[] {
  const parts = /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^/?#]*)(.*)$/.exec(url)
  const [, front, hosts, rest] = parts ?? []
  if (front === undefined || hosts === undefined || rest === undefined) return [url]
  const bare = withoutSessionAttributes(rest)
  return hosts.split(',').map((host) => `${front}${host}${bare}`)
}

/** Read-write is what we look for in any case; `pg` would keep the parameter for nothing. */
function withoutSessionAttributes(rest: string): string {
  const [path = '', query = ''] = rest.split('?', 2)
  const kept = query.split('&').filter((pair) => pair !== '' && !pair.startsWith('target_session_attrs='))
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`
}
