import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openPipeline } from '../../src/process/pipeline.ts';

test('output that was written long before anybody reads it is not lost', async () => {
  const settings = { discard: false, graceMs: 500, account: async () => null };
  const signal = new AbortController().signal;
  const command = { program: 'printf', args: ['all of it'] };
  await using pipeline = await openPipeline([command], { signal }, settings);
  for (let turn = 0; turn < 20; turn += 1) await sleep(5); // turns of the event loop in which it could be thrown away
  const chunks: Uint8Array[] = [];
  for await (const chunk of pipeline.output()) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('all of it');
  expect(await pipeline.finished()).toMatchObject([{ program: 'printf', exitCode: 0 }]);
});
