import { expect, test, vi } from 'vitest';
import type { IpAddress } from '../dial/name-lookups.ts';
import { rememberedLookup } from './remembered-lookup.ts';

const v4 = (address: string): IpAddress => ({ address, family: 4 });

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A resolver that gives these answers, one after another; an Error is one, too, and `silence` never comes. */
function resolver(...answers: readonly (string | Error)[]): {
  readonly lookup: () => Promise<IpAddress[]>;
  asked: number;
} {
  const state = {
    asked: 0,
    lookup: (): Promise<IpAddress[]> => {
      const answer = answers[state.asked++]!;
      if (answer instanceof Error) return Promise.reject(answer);
      return answer === 'silence' ? new Promise(() => {}) : Promise.resolve([v4(answer)]);
    },
  };
  return state;
}

test('an answer is used for five seconds, and an error once', async () => {
  let now = 1000;
  const gone = failure('ENOTFOUND');
  const system = resolver('10.0.0.1', gone, '10.0.0.2');
  const lookup = rememberedLookup(system.lookup, () => now);
  expect(await lookup('box')).toEqual([v4('10.0.0.1')]);
  now += 4_999;
  expect(await lookup('box')).toEqual([v4('10.0.0.1')]);
  expect(system.asked).toBe(1);
  now += 1;
  await expect(lookup('box')).rejects.toBe(gone);
  expect(await lookup('box')).toEqual([v4('10.0.0.2')]);
  expect(system.asked).toBe(3);
});

test('literal addresses and localhost are never looked up', async () => {
  const system = resolver();
  const lookup = rememberedLookup(system.lookup);
  expect(await lookup('127.0.0.1')).toEqual([v4('127.0.0.1')]);
  expect(await lookup('::1')).toEqual([{ address: '::1', family: 6 }]);
  for (const name of ['localhost', 'LOCALHOST.']) {
    expect(await lookup(name)).toEqual([{ address: '::1', family: 6 }, v4('127.0.0.1')]);
  }
  expect(system.asked).toBe(0);
});

test('many visitors at once ask once', async () => {
  const system = resolver('10.0.0.1');
  const lookup = rememberedLookup(system.lookup);
  await Promise.all([lookup('box'), lookup('box'), lookup('box')]);
  expect(system.asked).toBe(1);
});

test('an older answer serves while name servers are silent, asked once, and where they say to try again', async () => {
  vi.useFakeTimers();
  try {
    let now = 1000;
    const system = resolver('10.0.0.1', failure('EAI_AGAIN'), 'silence');
    const lookup = rememberedLookup(system.lookup, () => now);
    await lookup('box');
    now += 5_000;
    expect(await lookup('box')).toEqual([v4('10.0.0.1')]);
    const answers = Promise.all([lookup('box'), lookup('box')]);
    await vi.advanceTimersByTimeAsync(250);
    expect(await answers).toEqual([[v4('10.0.0.1')], [v4('10.0.0.1')]]);
    expect(system.asked).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});
