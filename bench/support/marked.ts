/**
 * Puts texts between the marks of a document: `<!-- bench:name -->` and `<!-- /bench:name -->`, each on a line.
 *
 * @throws Error when a mark has no text, or no end: a document must not keep figures of another run.
 */
export function withMarked(document: string, texts: ReadonlyMap<string, string>): string {
  const marks = [...document.matchAll(/^<!-- bench:([\w-]+) -->$/gm)].map(([, name = '']) => name);
  return marks.reduce((text, name) => {
    const inside = texts.get(name);
    if (inside === undefined) throw new Error(`the run did not measure ${name}`);
    const [start, end] = [`<!-- bench:${name} -->\n`, `<!-- /bench:${name} -->`];
    const from = text.indexOf(start) + start.length;
    const to = text.indexOf(end, from);
    if (to === -1) throw new Error(`the mark of ${name} does not end`);
    return `${text.slice(0, from)}${inside}\n${text.slice(to)}`;
  }, document);
}
