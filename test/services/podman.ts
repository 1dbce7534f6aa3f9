import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { Command, Host } from '../../src/ports/host.ts';
import { available } from './available.ts';

const execute = promisify(execFile);

/** Podman with a storage of its own. */
export interface Podman extends AsyncDisposable {
  /** What its client needs to find it. */
  readonly environment: Readonly<Record<string, string>>;
  podman(...args: readonly string[]): Promise<string>;
  importImage(name: string, root: string): Promise<void>;
  /** This machine as one that has no docker. */
  readonly host: Host;
}

/** Whether podman is here, and this account may run it as root. */
export const podmanAvailable = (): boolean => ['podman', 'busybox'].every(available) && process.geteuid?.() === 0;

/** podman without the part of the machine's cgroups that is of version 2: beside those of version 1 its runtime refuses
 *  it, and it needs neither. */
const ALONE = 'umount --lazy /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"';
const alone = (args: readonly string[]): string[] => ['--mount', '--', 'sh', '-c', ALONE, 'sh', ...args];
const asAlone = (command: Command): Command =>
  command.program === 'podman' ? { ...command, program: 'unshare', args: alone(command.args ?? []) } : command;

/** Makes the storage. Neither overlay nor cgroups are needed, nor more open files than this account may have. */
export async function ownPodman(): Promise<Podman> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-podman-')));
  const [storage, containers] = [join(folder, 'storage.conf'), join(folder, 'containers.conf')];
  await writeFile(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/store"\nrunroot = "${folder}/run"\n`);
  await writeFile(
    containers,
    `[containers]
cgroups = "disabled"
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "${folder}/tmp"
`,
  );
  const environment = { CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers };
  const env = { ...process.env, ...environment };
  const podman = async (...words: readonly string[]): Promise<string> =>
    (await execute('unshare', alone(words), { env, maxBuffer: 2 ** 26 })).stdout.trimEnd();
  const host = localHost();
  return {
    environment,
    podman,
    host: {
      ...host,
      run: (command, options) => host.run(asAlone(command), options),
      read: (commands, options) => host.read(commands.map(asAlone) as [Command, ...Command[]], options),
      feed: (commands, options) => host.feed(commands.map(asAlone) as [Command, ...Command[]], options),
      version: async (program, signal) => {
        if (program === 'docker') throw new HoldfastError('ToolMissing', 'There is no docker.', 'docker');
        return await host.version(program, signal);
      },
    },
    async importImage(name, root) {
      const script = 'tar -C "$1" -cf "$3" . && podman import "$3" "$2"';
      await execute('sh', ['-c', script, 'sh', root, name, join(folder, 'image.tar')], { env });
    },
    async [Symbol.asyncDispose]() {
      await podman('rm', '--force', '--all', '--time', '0');
      await podman('volume', 'rm', '--force', '--all');
      await podman('image', 'rm', '--force', '--all');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
