import type { ParsedQuery } from '../protocol/http-signature.ts';

/** The attributes of `info`, a comma list; unknown ones are ignored by those who read it (protocol.md 7.4). */
export function requestedInfo(query: ParsedQuery): ReadonlySet<string> {
  const info = query.get('info') ?? '';
  return new Set(
    info
      .split(',')
      .map((attribute) => attribute.trim())
      .filter((attribute) => attribute !== ''),
  );
}
