import { SpillwayError } from '../errors/spillway-error.ts';
import type { SentError } from './messages.ts';

/** Whatever was thrown, as it can be sent: its cause stays behind. */
export function toSent(thrown: unknown): SentError {
  if (!(thrown instanceof Error)) return { message: String(thrown), stack: undefined };
  const { message, stack } = thrown;
  if (!(thrown instanceof SpillwayError)) return { message, stack };
  return { message, stack, known: { code: thrown.code, details: thrown.details } };
}

/** The error that was sent: one of the catalogue is one again. */
export function fromSent({ message, stack, known }: SentError): Error {
  const error = known === undefined ? new Error(message) : new SpillwayError(known.code, known.details);
  if (stack !== undefined) error.stack = stack;
  return error;
}
