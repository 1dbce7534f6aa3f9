import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { available } from './available.ts';

const execute = promisify(execFile);
const START_LIMIT_MS = 60_000;

/** A Docker Engine of its own: its data, its socket and its processes end with it. */
export interface DockerEngine extends AsyncDisposable {
  /** What a client needs to find it. */
  readonly environment: { readonly DOCKER_HOST: string };
  /** Runs the client; what it printed on stdout, without the newline at its end. @throws with its stderr */
  docker(...args: readonly string[]): Promise<string>;
  /** Ends the engine as a crash would. Its containers go on until it is back. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}. */
  revive(): Promise<void>;
  /** Makes an image of a folder, in place of a registry. */
  importImage(name: string, root: string): Promise<void>;
}

/** Whether a Docker Engine can be started here; under REQUIRE=all an error when not. */
export const dockerAvailable = (): boolean =>
  ['dockerd', 'docker', 'busybox', 'setpriv'].every(available) && rootAvailable();

function rootAvailable(): boolean {
  if (process.geteuid?.() === 0) return true;
  if (process.env.REQUIRE === 'all') throw new Error('dockerd takes root');
  return false;
}

/** Starts dockerd without a network of its own, so that several may run side by side. */
export async function dockerEngine(): Promise<DockerEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-docker-'));
  const socket = `unix://${folder}/docker.sock`;
  const options = [
    ...['--host', socket, '--pidfile', `${folder}/docker.pid`, '--data-root', `${folder}/data`],
    ...['--exec-root', `${folder}/exec`, '--bridge=none', '--iptables=false', '--ip6tables=false'],
  ];
  // A test process that is killed takes its engine along.
  const args = ['--pdeathsig', 'TERM', 'dockerd', ...options];
  let said = '';
  function start(): ChildProcess {
    const child = spawn('setpriv', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
    });
    return child;
  }
  let daemon = start();
  const environment = { DOCKER_HOST: socket };
  const docker = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await execute('docker', words, { env: { ...process.env, ...environment }, maxBuffer: 2 ** 26 });
    return stdout.trimEnd();
  };
  async function answers(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while (!(await docker('version').catch(() => null))) {
      if (daemon.exitCode !== null || performance.now() > deadline) throw new Error(`dockerd does not answer: ${said}`);
      await sleep(50);
    }
  }
  await answers();
  return {
    environment,
    docker,
    async kill() {
      const closed = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await closed;
      // its containerd goes with it; a new engine that still finds that one waits for it in vain
      const containerd = await readFile(`${folder}/exec/containerd/containerd.pid`, 'utf8').catch(() => '');
      await until(async () => containerd === '' || !existsSync(`/proc/${containerd.trim()}`), 'the end of containerd');
    },
    async revive() {
      await rm(`${folder}/docker.pid`, { force: true });
      daemon = start();
      await answers();
    },
    async importImage(name, root) {
      const without = ['./proc/*', './sys/*', './dev/*'].map((path) => `--exclude=${path}`);
      const script = 'root=$1 name=$2; shift 2; tar "$@" -C "$root" -c . | docker import - "$name"';
      const env = { ...process.env, ...environment };
      await execute('sh', ['-c', script, 'sh', root, name, ...without], { env });
    },
    async [Symbol.asyncDispose]() {
      const containers = (await docker('ps', '--all', '--quiet')).split('\n').filter((id) => id !== '');
      if (containers.length > 0) await docker('rm', '--force', ...containers);
      await ended(daemon);
      await unmountIn(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** What an engine that was killed left mounted. */
async function unmountIn(folder: string): Promise<void> {
  const points = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  for (const point of points.filter((one) => one.startsWith(`${folder}/`)).toReversed())
    await execute('umount', ['--lazy', point]);
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null) return;
  const closed = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await closed;
}

/** A container without a network, which runs on. @param words options, the image and the command */
export const startContainer = async (engine: DockerEngine, name: string, ...words: readonly string[]): Promise<void> =>
  void (await engine.docker('run', '--detach', '--network', 'none', '--name', name, ...words));

/** Freezes a container. Under version 1 of control groups the kernel may give up freezing processes that are busy, and
 *  what was frozen runs on: it is asked again. @throws with what the engine said last, after ten times */
export async function pauseContainer(engine: DockerEngine, name: string): Promise<void> {
  for (let left = 9; ; left--) {
    const error: unknown = await engine.docker('pause', name).then(
      () => null,
      (reason: unknown) => reason,
    );
    if (error === null) return;
    if (left === 0 || !String(error).includes('unable to freeze')) throw error;
    await sleep(100);
  }
}

/** Compose over one file. @throws with what it said */
export const composeFile = async (engine: DockerEngine, file: string, ...words: readonly string[]): Promise<void> =>
  void (await execute('docker-compose', ['--file', file, ...words], {
    env: { ...process.env, ...engine.environment },
  }));

/** An image `busybox` with the programs of busybox-static in /bin, and nothing else. */
export async function importBusybox(engine: Pick<DockerEngine, 'importImage'>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-busybox-'));
  try {
    for (const name of ['bin', 'etc', 'tmp', 'root']) await mkdir(join(root, name));
    const { stdout } = await execute('sh', ['-c', 'command -v busybox']);
    await copyFile(stdout.trim(), join(root, 'bin/busybox'));
    const applets = (await execute('busybox', ['--list'])).stdout.trim().split('\n');
    for (const applet of applets.filter((each) => each !== 'busybox'))
      await symlink('busybox', join(root, 'bin', applet));
    await engine.importImage('busybox', root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Asks until the answer is true. @throws after half a minute */
export async function until(claim: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await claim())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true`);
    await sleep(50);
  }
}

/** The number of a container's first process on this machine. */
export const pidOf = async (engine: DockerEngine, container: string): Promise<number> =>
  Number(await engine.docker('inspect', '--format', '{{.State.Pid}}', container));
