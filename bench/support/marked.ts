/**
 * Puts texts between the marks of a document: `<!-- bench:name -->` and `<!-- /bench:name -->`, each on a line.
 *
 * @throws Error when a text has no mark, or its mark no end.
 */
export function withMarked(document: string, texts: ReadonlyMap<string, string>): string {
  return [...texts].reduce((text, [name, inside]) => {
    const [start, end] = [`<!-- bench:${name} -->\n`, `<!-- /bench:${name} -->`];
    const startsAt = text.indexOf(start);
    if (startsAt === -1) throw new Error(`there is no mark of ${name}`);
    const from = startsAt + start.length;
    const to = text.indexOf(end, from);
    if (to === -1) throw new Error(`the mark of ${name} does not end`);
    return `${text.slice(0, from)}${inside}\n${text.slice(to)}`;
  }, document);
}
