/** What sort of trouble an error is. It decides, in one place, what is done about it. */
export type ErrorKind = 'client' | 'overload' | 'transient' | 'fatal';

/** What an error of a kind leads to, wherever it comes up. */
interface KindRule {
  /** Of the log line that tells of it. */
  readonly level: 'info' | 'warn' | 'error' | 'fatal';
  readonly action: string;
  /** The answer carries `Retry-After`: the same request may do well later. */
  readonly mayRetry: boolean;
  /** An item was lost in a stage for a reason of the server's own: told as `stage.failed`. */
  readonly isStageFailure: boolean;
  /** Counts towards the breaker of the stage that threw it. */
  readonly trips: boolean;
}

/** All of them are counted in `spillway_errors_total{kind,code}`. */
export const errorKinds: Readonly<Record<ErrorKind, KindRule>> = {
  client: {
    level: 'info',
    action: 'answered with what was wrong; the server goes on',
    mayRetry: false,
    isStageFailure: false,
    trips: false,
  },
  overload: {
    level: 'warn',
    action: 'refused or shed, with a way back',
    mayRetry: true,
    isStageFailure: false,
    trips: true,
  },
  transient: {
    level: 'error',
    action: 'tried again, by the server or by whoever asked',
    mayRetry: true,
    isStageFailure: true,
    trips: true,
  },
  fatal: {
    level: 'fatal',
    action: 'the start, or the stage, ends and says what to correct',
    mayRetry: false,
    isStageFailure: true,
    trips: true,
  },
};
