import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { LinkHealth } from '../../../lib/redis/link-health.ts';
import { StoreAway } from '../../../lib/redis/store-link.ts';

let works: boolean;
let probes: number;
let told: string[];
let ups: boolean[];
let health: LinkHealth;

beforeEach(() => {
  jest.useFakeTimers();
  [works, probes, told, ups] = [true, 0, [], []];
  health = new LinkHealth({
    probe: () => {
      probes++;
      return works ? Promise.resolve() : Promise.reject(new StoreAway('not yet'));
    },
    onLost: (reason) => told.push(`lost: ${reason}`),
    onRestored: () => told.push('restored'),
  });
  health.up$.subscribe((isUp) => ups.push(isUp));
});

afterEach(() => {
  health.close();
  jest.useRealTimers();
});

it('is up only once it has begun, and failures before that are not told', async () => {
  health.trip('too early');
  await expect(health.run(() => Promise.resolve(1))).rejects.toBeInstanceOf(StoreAway);
  health.begin();
  expect(await health.run(() => Promise.resolve(1))).toBe(1);
  expect([ups, told]).toEqual([[false, true], []]);
});

it('one failed call among many takes it down before the caller is told', async () => {
  health.begin();
  for (let at = 0; at < 1000; at++) await health.run(() => Promise.resolve());
  const isUpThen = await health.run(() => Promise.reject(new StoreAway('gone'))).catch(() => health.isUp);
  expect(isUpThen).toBe(false);
  await expect(health.run(() => Promise.resolve())).rejects.toThrow('(gone)');
  expect(told).toEqual(['lost: gone']);
});

it('it is tried two to four times a second until the probe does well', async () => {
  health.begin();
  works = false;
  health.trip('cut');
  await jest.advanceTimersByTimeAsync(5000);
  expect(probes).toBeGreaterThanOrEqual(9);
  expect(probes).toBeLessThanOrEqual(20);
  works = true;
  await jest.advanceTimersByTimeAsync(500);
  expect([ups, told]).toEqual([
    [false, true, false, true],
    ['lost: cut', 'restored'],
  ]);
});

it('after the end nothing is tried or told', async () => {
  health.begin();
  health.trip('cut');
  await jest.advanceTimersByTimeAsync(0);
  health.close();
  await jest.advanceTimersByTimeAsync(5000);
  expect([probes, ups]).toEqual([0, [false, true, false]]);
});
