import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../e2e/holdfast.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { type DockerEngine, dockerEngine } from '../services/docker.ts';
import { PROGRAM } from '../services/program.ts';
import { importDebian, type SystemdMachine, systemdAvailable, systemdMachine } from '../services/systemd.ts';

const [node, bundle] = PROGRAM;
/** Lives in its data, which it sees through a mount of the machine, and does not start with a version it does not know. */
const APP = `[Service]
WorkingDirectory=/srv/%i
ExecStart=/opt/%i
`;
const SLOW = `${APP}Type=oneshot
RemainAfterExit=yes
ExecStartPre=sleep 3
ExecStart=
ExecStart=true
`;
const RUN = '#!/bin/sh\\ngrep -q good version || exit 9\\nexec sleep 600\\n';

describe.runIf(hasBtrfs() && systemdAvailable())('a deployment of a systemd unit', () => {
  let engine: DockerEngine;
  let pool: BtrfsPool;
  let machine: SystemdMachine;
  beforeAll(async () => {
    [pool, engine] = [btrfsPool(), await dockerEngine()];
    await importDebian(engine);
    const mounts = { [pool.path]: '/pool', [dirname(bundle)]: '/holdfast', [node]: '/usr/local/bin/node' };
    const volumes = Object.entries(mounts).flatMap(([from, to]) => ['--volume', `${from}:${to}`]);
    machine = await systemdMachine(engine, volumes);
    const files = { 'app@': APP, 'slow@': SLOW, broken: '[Service]\nExecStart=false\n' };
    for (const [name, text] of Object.entries(files))
      await machine.sh(`printf '%s' '${text}' > /etc/systemd/system/${name}.service`);
    await machine.sh('systemctl daemon-reload');
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    pool?.[Symbol.dispose]();
  }, 60_000);

  /** A subvolume that is mounted at /srv/NAME, with the unit app@NAME running on it, and a configuration. */
  async function deployed(name: string, units = [`app@${name}`], started = units): Promise<void> {
    writeFileSync(join(pool.makeSubvolume(name), 'version'), 'good 1\n');
    const declared = units.map((unit) => `{ systemd: ${unit}.service }`).join(', ');
    await machine.sh(`mkdir /srv/${name}; mount --bind /pool/${name} /srv/${name}
      printf '${RUN}' > /opt/${name}; chmod +x /opt/${name}
      printf '%s' 'version: 1
pools: { main: { path: /pool, subvolumes: { ${name}: { units: [${declared}] } } } }
guard: { settle: 1s, steady: 1s }
' > /etc/${name}.yaml
      systemctl start ${started.map((unit) => `${unit}.service`).join(' ')}`);
  }
  /** Runs Holdfast in the machine. Its exit code, or 137 when it was killed, stands in the last line of stdout. */
  async function holdfast(name: string, ...args: readonly string[]) {
    const words = args.map((word) => `'${word}'`).join(' ');
    const printed = await machine.sh(`export STATE_DIRECTORY=/var/lib/${name} HOLDFAST_CONFIG=/etc/${name}.yaml
      set +e; node /holdfast/${basename(bundle)} ${words} 2> /tmp/said; code=$?; cat /tmp/said >&2; echo; echo $code`);
    const [stdout = '', exitCode = ''] = printed.split(/\n(?=\d+$)/);
    return { exitCode: Number(exitCode), stdout: stdout.trim(), stderr: await machine.sh('cat /tmp/said') };
  }
  async function json(exitCode: number, name: string, ...args: readonly string[]): Promise<Json> {
    const ended = await holdfast(name, '--json', ...args);
    expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode);
    return JSON.parse(ended.stdout);
  }
  const words = (name: string, line: string, ...options: readonly string[]): readonly string[] => [
    ...['guard', '--subvolume', name, '--operation', 'deploy', ...options, '--command', line],
  ];
  const guarded = (exitCode: number, name: string, line: string, ...options: readonly string[]): Promise<Json> =>
    json(exitCode, name, ...words(name, line, ...options));
  const change = (name: string, to: string, then: string): string => `echo ${to} > /srv/${name}/version; ${then}`;
  /** What the unit works with, seen from its own process. */
  const seenBy = (unit: string): Promise<string> =>
    machine.sh(`cat /proc/$(systemctl show --property MainPID --value ${unit})/cwd/version`);
  const isActive = async (unit: string): Promise<string> => machine.sh(`systemctl is-active ${unit} || true`);
  const version = (name: string): string => readFileSync(join(pool.path, name, 'version'), 'utf8').trim();
  const keptVersions = (name: string): readonly string[] =>
    readdirSync(pool.path)
      .filter((each) => each.startsWith(`${name}.recovery-backup-`))
      .map(version);

  test('that works stays; one that does not come up is taken back, with the unit and its mount on the old data', async () => {
    await deployed('app');
    const restart = 'systemctl restart app@app';
    expect(await guarded(0, 'app', change('app', 'good 2', restart), '--auto-rollback')).toMatchObject({
      ...{ outcome: 'success', rolledBack: false, validation: { outcome: 'valid' } },
    });
    const bad = await guarded(2, 'app', change('app', 'bad', restart), '--auto-rollback');
    expect(bad).toMatchObject({ outcome: 'rolled_back', rolledBack: true, rollback: { problems: [] } });
    expect([await isActive('app@app'), await seenBy('app@app')]).toEqual(['active', 'good 2']);
    expect(await machine.sh('cat /srv/app/version; findmnt --noheadings --output TARGET /srv/app')).toBe(
      'good 2\n/srv/app',
    );
    expect(keptVersions('app')).toEqual(['bad']);
  });

  test('is no reason for a rollback when a unit had failed before, declared or not', async () => {
    await deployed('old', ['app@old', 'broken']);
    await machine.sh('systemctl start broken || true; systemctl reset-failed app@app || true');
    expect(await isActive('broken')).toBe('failed');
    expect(await guarded(0, 'old', change('old', 'good 2', 'true'), '--auto-rollback')).toMatchObject({
      outcome: 'success',
    });
    await machine.sh('systemctl reset-failed broken');
    const report = await guarded(2, 'old', change('old', 'good 3', 'systemctl start broken; true'));
    expect(report).toMatchObject({ outcome: 'validation_failed', rolledBack: false });
    await machine.sh('systemctl reset-failed broken');
  });

  test('that lets a unit fail which nobody declared ends with 2, by the name of the unit', async () => {
    await deployed('other');
    const { validation } = await guarded(2, 'other', 'systemctl start broken; true');
    const failed = validation.checks.filter(({ outcome }: { outcome: string }) => outcome === 'failed');
    expect(failed).toMatchObject([{ detail: expect.stringContaining('broken.service') }]);
    await machine.sh('systemctl reset-failed broken');
  });

  test('that logs more than five errors is a success that says so', async () => {
    await deployed('noisy');
    const line = 'for i in 1 2 3 4 5 6; do logger -p daemon.err error $i; done; journalctl --sync';
    const { outcome, validation } = await guarded(0, 'noisy', line, '--auto-rollback');
    expect(outcome).toBe('success');
    expect(validation.checks).toContainEqual(expect.objectContaining({ outcome: 'warning' }));
  });

  test('that fails leaves running what ran, also what the command stopped, and down what was down', async () => {
    await deployed('up', ['app@up', 'app@down'], ['app@up']);
    await machine.sh('mkdir /srv/down; cp /opt/up /opt/down; echo good > /srv/down/version');
    const line = change('up', 'bad', 'systemctl stop app@up; systemctl start app@down; exit 5');
    expect(await guarded(2, 'up', line, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back', commandExit: 5 });
    expect([await isActive('app@up'), await seenBy('app@up')]).toEqual(['active', 'good 1']);
    expect(await isActive('app@down')).toBe('inactive');
  });

  test('whose unit cannot be started again ends with 3 and says by hand what to do, which works', async () => {
    await deployed('stuck');
    const line = change('stuck', 'bad', 'mv /opt/stuck /opt/away; systemctl restart app@stuck');
    const report = await guarded(3, 'stuck', line, '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'rollback_failed', rolledBack: true });
    const [problem = ''] = report.rollback.problems;
    const byHand = /By hand: (.+)$/.exec(problem)?.[1] ?? problem;
    expect(byHand).toBe('systemctl start app@stuck.service');
    await machine.sh(`mv /opt/away /opt/stuck; systemctl reset-failed app@stuck; ${byHand}`);
    expect([await seenBy('app@stuck'), keptVersions('stuck')]).toEqual(['good 1', ['bad']]);
  });

  test('whose unit goes on with the old data after its start ends with 3, by the name of the unit', async () => {
    await deployed('clings');
    await machine.sh(
      `printf '#!/bin/sh\\ncd /pool/clings.recovery-* || cd /srv/clings\\nexec sleep 600\\n' > /opt/clings`,
    );
    const report = await guarded(3, 'clings', change('clings', 'bad', 'exit 5'), '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'rollback_failed', rolledBack: true });
    expect(report.rollback.problems).toEqual([
      expect.stringMatching(/app@clings\.service still uses the state of clings from before, now \S+: restart it/),
    ]);
    expect([version('clings'), await seenBy('app@clings')]).toEqual(['good 1', 'bad']);
  });

  test('whose unit leaves a process behind when it stops ends with 3, with all as the command left it', async () => {
    await deployed('leaves');
    await machine.sh(`mkdir /etc/systemd/system/app@leaves.service.d
      printf '[Service]\\nKillMode=process\\n' > /etc/systemd/system/app@leaves.service.d/mode.conf
      printf '#!/bin/sh\\nsleep 600 &\\nexec sleep 600\\n' > /opt/leaves
      systemctl daemon-reload; systemctl restart app@leaves`);
    const report = await guarded(3, 'leaves', change('leaves', 'bad', 'exit 5'), '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'rollback_failed', rolledBack: false, rollback: null });
    expect(report.rollbackError).toMatch(/is used by process \d+ \(sleep\)/);
    expect([version('leaves'), await isActive('app@leaves'), keptVersions('leaves')]).toEqual(['bad', 'active', []]);
    await machine.sh('systemctl kill --signal KILL app@leaves');
  });

  test('that is killed half-way is taken back by the command that the next start prints', async () => {
    await deployed('half');
    const killed = await holdfast('half', ...words('half', change('half', 'bad', 'kill -9 $PPID'), '--auto-rollback'));
    expect(killed.exitCode).toBe(137);
    expect([version('half'), await isActive('app@half')]).toEqual(['bad', 'active']);
    const next = await holdfast('half', 'snapshot', 'create', 'half', '--label', 'next');
    const way = /holdfast (rollback --snapshot \S+);/.exec(next.stderr)?.[1] ?? next.stderr;
    expect((await json(0, 'half', 'history')).snapshots).toMatchObject([
      { type: 'manual' },
      { outcome: 'pending', snapshot_name: way.split(' ').at(-1) },
    ]);
    await json(0, 'half', ...way.split(' '), '--auto-confirm');
    expect([await seenBy('app@half'), keptVersions('half')]).toEqual(['good 1', ['bad']]);
  });

  test('is waited for while its unit is activating, longer than it may take to settle', async () => {
    await deployed('slow', ['slow@slow']);
    const line = change('slow', 'good 2', 'systemctl restart --no-block slow@slow');
    expect(await guarded(0, 'slow', line, '--auto-rollback')).toMatchObject({ outcome: 'success' });
    expect([await isActive('slow@slow'), version('slow')]).toEqual(['active', 'good 2']);
  });

  test('is refused while a process of no unit works there: 4 before the command, 1 for a rollback', async () => {
    await deployed('busy');
    const pid = await machine.sh('cd /srv/busy; sleep 600 > /dev/null 2>&1 & echo $!');
    expect(await guarded(4, 'busy', 'touch /tmp/witness', '--auto-rollback')).toMatchObject({
      error: { code: 'TargetBusy', message: expect.stringContaining(`process ${pid} (sleep)`) },
    });
    await machine.sh('test ! -e /tmp/witness');
    const { snapshot_name: name } = await guarded(0, 'busy', change('busy', 'good 2', 'true'));
    expect(await json(1, 'busy', 'rollback', '--snapshot', name, '--auto-confirm')).toMatchObject({
      error: { code: 'TargetBusy', message: expect.stringContaining(`process ${pid} (sleep)`) },
    });
    expect([version('busy'), await isActive('app@busy'), keptVersions('busy')]).toEqual(['good 2', 'active', []]);
  });
});
