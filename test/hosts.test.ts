import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { type HostFixture, hostContract } from './contracts/host.ts';

async function localFixture(): Promise<HostFixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-host-')));
  return {
    host: localHost({ graceMs: 500 }),
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

hostContract('local', localFixture);
