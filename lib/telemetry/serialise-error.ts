/** An error as it stands in a log line. */
export interface SerialisedError {
  readonly type: string;
  readonly code?: string | number;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: SerialisedError | string;
}

const maxCauses = 5;
const maxMessageLength = 1024;
const maxStackLength = 8192;

/** Keeps what explains an error, and nothing else it carries: a request on an error may hold a secret. */
export function serialiseError(error: Error, causes = 0): SerialisedError {
  const code: unknown = (error as { code?: unknown }).code;
  const { cause } = error;
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: error.message.slice(0, maxMessageLength),
    ...(error.stack === undefined ? {} : { stack: error.stack.slice(0, maxStackLength) }),
    ...(cause === undefined || causes >= maxCauses ? {} : { cause: serialiseCause(cause, causes + 1) }),
  };
}

function serialiseCause(cause: unknown, causes: number): SerialisedError | string {
  if (cause instanceof Error) return serialiseError(cause, causes);
  return typeof cause === 'string' ? cause.slice(0, maxMessageLength) : `a thrown ${typeof cause}`;
}
