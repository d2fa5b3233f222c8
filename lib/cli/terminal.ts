/** What the commands know of the world: so that a spec can stand in for it. */
export interface Terminal {
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: messages for a person. */
  err(text: string): void;
  readonly signals: SignalSource;
}

/** Where SIGTERM and SIGINT come from: the process. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
}

export type StopSignal = 'SIGTERM' | 'SIGINT';
