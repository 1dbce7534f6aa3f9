import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { available } from './available.ts';
import { type DockerEngine, dockerAvailable, until } from './docker.ts';

const execute = promisify(execFile);
const PACKAGES = [
  ...['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'openssh-server', 'rsync', 'procps'],
  ...['btrfs-progs', 'libatomic1'], // for Holdfast itself and its Node, which then run in the machine
];
/** Changes with what is in the tree, so that an older one is not taken. */
const TREE = 'debian-bookworm-systemd-3';

/** Whether a machine with systemd can be made here; under REQUIRE=all an error when not. */
export const systemdAvailable = (): boolean => dockerAvailable() && (available('debootstrap') || existsSync(tree()));

function tree(): string {
  const base = process.env.XDG_CACHE_HOME ?? (process.geteuid?.() === 0 ? '/var/cache' : join(homedir(), '.cache'));
  return join(base, 'holdfast-tests', TREE);
}

/** The mirror that apt uses, which is the one that can be reached. */
async function mirror(): Promise<string> {
  const { stdout } = await execute('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages']);
  return stdout.split('\n').find((site) => /\/debian\/?$/.test(site)) ?? 'http://deb.debian.org/debian';
}

/** A Debian with systemd, made once and kept in the cache folder; about a minute and a half the first time. Several
 *  processes may make it at once: the first to be ready wins. */
async function debianTree(): Promise<string> {
  const path = tree();
  if (existsSync(path)) return path;
  await mkdir(join(path, '..'), { recursive: true });
  const draft = await mkdtemp(`${path}.draft-`);
  try {
    const options = ['--variant=minbase', `--include=${PACKAGES.join(',')}`];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' };
    await execute('debootstrap', [...options, 'bookworm', draft, await mirror()], { env, maxBuffer: 2 ** 26 });
    await rm(join(draft, 'var/cache/apt/archives'), { recursive: true, force: true });
    await rename(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return path;
}

/** A machine with systemd as its first process: a container. It is removed when it is disposed. */
export interface SystemdMachine extends AsyncDisposable {
  readonly container: string;
  /** Runs a script in it as root; what it printed. @throws with its stderr */
  sh(script: string): Promise<string>;
}

/** An engine needs the image once; 4 s. */
export async function importDebian(engine: DockerEngine): Promise<void> {
  await engine.importImage('debian', await debianTree());
}

/** Starts one from the image `debian` and waits until systemd is up. `options` go to `docker run`. */
export async function systemdMachine(engine: DockerEngine, options: readonly string[] = []): Promise<SystemdMachine> {
  const container = await engine.docker(
    ...['run', '--detach', '--network', 'none', '--cap-add', 'SYS_ADMIN', '--security-opt', 'seccomp=unconfined'],
    ...['--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp', '--cgroupns=host'],
    ...['--volume', '/sys/fs/cgroup:/sys/fs/cgroup:rw', ...options, 'debian', '/sbin/init'],
  );
  const sh = (script: string): Promise<string> => engine.docker('exec', container, 'sh', '-c', `set -eu; ${script}`);
  const isUp = async (): Promise<boolean> => {
    const state = await sh('systemctl is-system-running || true').catch(() => '');
    return ['running', 'degraded'].includes(state);
  };
  await until(isUp, 'systemd in a container');
  return {
    container,
    sh,
    [Symbol.asyncDispose]: async () => void (await engine.docker('rm', '--force', '--volumes', container)),
  };
}
