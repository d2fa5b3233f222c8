import type { ConnectionQuota } from './connection-quota.ts';

export class MemoryConnectionQuota implements ConnectionQuota {
  readonly #used = new Map<string, number>();

  used(appId: string): number {
    return this.#used.get(appId) ?? 0;
  }

  acquire(appId: string, limit: number): boolean {
    const used = this.used(appId);
    if (limit > 0 && used >= limit) return false;
    this.#used.set(appId, used + 1);
    return true;
  }

  release(appId: string, count: number): void {
    const left = this.used(appId) - count;
    if (left > 0) this.#used.set(appId, left);
    else this.#used.delete(appId);
  }
}
