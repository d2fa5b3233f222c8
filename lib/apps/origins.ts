/** Whether a connection with this Origin header may be opened. No header means no browser: always allowed. */
export type OriginRule = (origin: string | undefined) => boolean;

/**
 * A rule from the patterns of `allowedOrigins`: `*` for any, an origin (`https://example.com`), a host
 * (`example.com`, any scheme and port), or either with `*` in place of a label or port.
 */
export function toOriginRule(patterns: readonly string[]): OriginRule {
  if (patterns.includes('*')) return () => true;
  const expressions = patterns.map(toExpression);
  return (origin) => origin === undefined || expressions.some((expression) => expression.test(origin));
}

function toExpression(pattern: string): RegExp {
  const labels = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const host = labels.join('[^./:]+');
  const hasScheme = pattern.includes('://');
  const hasPort = /:(\d+|\*)$/.test(pattern);
  return new RegExp(
    `^${hasScheme ? '' : '[a-z][a-z0-9+.-]*://'}${host}${hasScheme || hasPort ? '' : '(:\\d+)?'}$`,
    'i',
  );
}
