/** Characters without the end of a line; then a line is ended for its writer. */
const maxLineLength = 1_048_576;

/**
 * Cuts what a process writes into its lines, each with its newline: lines of several processes then share one output
 * without being torn. What its end leaves of a line is no line, and is left out.
 */
export class WholeLines {
  #rest = '';

  /** The lines that are complete with this. */
  take(text: string): readonly string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > maxLineLength) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines.map((line) => `${line}\n`);
  }
}
