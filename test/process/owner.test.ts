import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { currentOwner, ownerIsGone, ownerState } from '../../src/process/owner.ts';

/** A process that tells who it is and then waits for its stdin to end. */
function otherProcess() {
  const script = `import('${new URL('../../src/process/owner.ts', import.meta.url)}').then(({ currentOwner }) => {
    process.stdout.write(JSON.stringify(currentOwner()));
    process.stdin.resume();
  })`;
  return spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
}

test('a process that runs is not gone, and is gone once it was killed', async () => {
  const child = otherProcess();
  const [text] = await once(child.stdout, 'data');
  const owner = JSON.parse(String(text));
  expect(owner.pid).toBe(child.pid);
  expect(ownerIsGone(owner)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(ownerIsGone(owner)).toBe(true);
});

test('a later process with the same number is not the one that was recorded', () => {
  expect(ownerIsGone(currentOwner())).toBe(false);
  expect(ownerIsGone({ ...currentOwner(), startTime: '1' })).toBe(true);
});

test('a process is gone when its machine was started again', () => {
  expect(ownerIsGone({ ...currentOwner(), boot: 'an earlier one' })).toBe(true);
});

test.each([
  ['on another machine', { machine: 'another', boot: 'another' }],
  ['on a clone with the same machine-id', { hostname: 'another', boot: 'another' }],
  ['on machines without a machine-id', { machine: '', boot: 'another' }],
  ['in another container of this machine', { pidNamespace: '1' }],
])('a process %s is neither running nor gone', (_, difference) => {
  expect(ownerIsGone({ ...currentOwner(), ...difference })).toBe('unknown');
});

test('two machines without a machine-id are not taken for one', () => {
  const here = { ...currentOwner(), machine: '' };
  expect(ownerState({ ...here, boot: 'another' }, here)).toBe('unknown');
});

test('a process that ended and was not waited for is gone', async () => {
  // a child that ends after the shell became the sleep stays a zombie: the sleep never waits for it
  const child = 'while read -r name </proc/$$/comm && [ "$name" != sleep ]; do :; done';
  const parent = spawn('/bin/sh', ['-c', `${child} & echo $!; exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = await once(parent.stdout, 'data');
  const pid = Number(text);
  const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  await expect.poll(() => stat()[2], { timeout: 10_000 }).toBe('Z');
  expect(ownerIsGone({ ...currentOwner(), pid, startTime: stat()[21] ?? '' })).toBe(true);
  parent.kill();
});
