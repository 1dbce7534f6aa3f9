import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { systemdUnit } from '../src/adapters/units/systemd/index.ts';
import { journalValidator } from '../src/adapters/validators/journal/index.ts';
import { parseCursor, parseErrors } from '../src/adapters/validators/journal/parse.ts';
import { systemdFailedValidator } from '../src/adapters/validators/systemd-failed/index.ts';
import { parseFailed } from '../src/adapters/validators/systemd-failed/parse.ts';
import { unitValidator } from '../src/adapters/validators/unit/index.ts';
import type { Host } from '../src/ports/host.ts';
import { validatorContract } from './contracts/validator.ts';
import { type DockerEngine, dockerEngine, until } from './services/docker.ts';
import { importDebian, type SystemdMachine, systemdAvailable, systemdMachine } from './services/systemd.ts';

const never = (): AbortSignal => new AbortController().signal;

test('failed units are told by their names, whatever their descriptions are', () => {
  const printed = 'a.service loaded failed failed A thing\ndev-b@1\\x2d2.mount not-found failed failed \n';
  expect(parseFailed(printed)).toEqual(['a.service', 'dev-b@1\\x2d2.mount']);
  expect(parseFailed('\n')).toEqual([]);
});

test('an entry of the journal is one line, whatever was logged', () => {
  const lines = [
    { UNIT: 'a.service', _SYSTEMD_UNIT: 'init.scope', MESSAGE: 'Failed\nwith \u001b[31mcolour' },
    { SYSLOG_IDENTIFIER: 'cron', MESSAGE: [...Buffer.from('caf\xe9', 'latin1')] },
    { MESSAGE: ['first', 'second'] },
    { MESSAGE: null },
    { MESSAGE: 'x'.repeat(500) },
  ].map((entry) => JSON.stringify(entry));
  const errors = parseErrors(`${lines.join('\n')}\n`);
  expect(errors.slice(0, 4)).toEqual([
    'a.service: Failed with  [31mcolour',
    'cron: caf\ufffd',
    'unknown: first',
    'unknown: ',
  ]);
  expect(errors[4]?.length).toBeLessThan(200);
});

test('a journal without entries has no cursor, and other words than JSON are an error', () => {
  expect(parseCursor('')).toBeNull();
  expect(parseCursor('{"__CURSOR":"s=1;i=2"}\n')).toBe('s=1;i=2');
  expect(() => parseErrors('-- No entries --')).toThrow('JSON');
});

describe.runIf(systemdAvailable())('needs systemd', () => {
  let engine: DockerEngine;
  let machine: SystemdMachine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importDebian(engine);
    machine = await systemdMachine(engine);
    const unit = (command: string): string => `[Service]\\nExecStart=/bin/sh -c "${command}"\\n`;
    await machine.sh(
      `printf '${unit('exit 3')}' > /etc/systemd/system/broken.service
       printf '${unit('exit 4')}' > /etc/systemd/system/other.service
       printf '${unit('exec sleep infinity')}' > /etc/systemd/system/works.service
       systemctl daemon-reload`,
    );
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  /** Runs programs in the machine; while it is blind they are not found. */
  function machineHost(blind: { readonly now: boolean } = { now: false }): Host {
    const local = localHost();
    return {
      ...local,
      run: ({ program, args }, options) => {
        const environment = { DOCKER_HOST: engine.environment.DOCKER_HOST };
        const exec = ['exec', machine.container, blind.now ? `no-${program}` : program, ...args];
        return local.run({ program: 'docker', args: exec, environment }, options);
      },
    };
  }
  const failed = async (unit: string): Promise<void> => {
    await machine.sh(`systemctl start ${unit} || true`);
    await until(async () => (await machine.sh(`systemctl is-failed ${unit} || true`)) === 'failed', `${unit} failed`);
  };
  const logErrors = async (count: number): Promise<void> => {
    const text = `error ${Math.random()}`;
    await machine.sh(`for i in $(seq ${count}); do logger -t wiki -p daemon.err "${text} $i"; done; journalctl --sync`);
    const last = (): Promise<string> => machine.sh('journalctl -t wiki -n 1 -o cat');
    await until(async () => (await last()) === `${text} ${count}`, 'the journal has the errors');
  };

  validatorContract('systemd failed units', async () => {
    const blind = { now: false };
    await machine.sh('systemctl reset-failed');
    return {
      validator: systemdFailedValidator(machineHost(blind)),
      bad: 'failed',
      makeGood: async () => void (await machine.sh('systemctl reset-failed')),
      makeBad: () => failed('broken.service'),
      blind: async () => {
        blind.now = true;
      },
      witness: () =>
        machine.sh('systemctl list-units --all --plain --no-legend --state=active,inactive,failed *.service'),
      [Symbol.asyncDispose]: async () => {},
    };
  });

  validatorContract('unit of systemd', async () => {
    const blind = { now: false };
    await machine.sh('systemctl start works.service');
    const reference = { kind: 'systemd', host: 'local', unit: 'works.service', user: null } as const;
    return {
      validator: unitValidator(systemdUnit(reference, machineHost(blind))),
      bad: 'failed',
      makeGood: async () => void (await machine.sh('systemctl start works.service')),
      makeBad: async () => void (await machine.sh('systemctl stop works.service')),
      blind: async () => {
        blind.now = true;
      },
      witness: () => machine.sh('systemctl show works.service --property=MainPID,ActiveState,NRestarts'),
      [Symbol.asyncDispose]: async () => {},
    };
  });

  validatorContract('journal errors', async () => {
    const blind = { now: false };
    return {
      validator: journalValidator(machineHost(blind)),
      bad: 'warning',
      makeGood: async () => {},
      makeBad: () => logErrors(6),
      blind: async () => {
        blind.now = true;
      },
      witness: () => machine.sh('journalctl -t wiki -o cat'),
      [Symbol.asyncDispose]: async () => {},
    };
  });

  test('only units that failed since are named', async () => {
    await machine.sh('systemctl reset-failed');
    const check = systemdFailedValidator(machineHost());
    await failed('broken.service');
    const baseline = await check.baseline(never());
    expect(baseline).toMatchObject({ good: false, detail: 'broken.service' });
    await failed('broken.service');
    expect((await check.verdict(baseline, never())).outcome).toBe('passed');
    await failed('other.service');
    expect(await check.verdict(baseline, never())).toEqual({
      outcome: 'failed',
      detail: 'failed since: other.service',
    });
  });

  test('the first new error counts, whether the entry before it was an error or not', async () => {
    const check = journalValidator(machineHost());
    for (const level of ['info', 'err']) {
      await logErrors(1);
      await machine.sh(`logger -t else -p daemon.${level} between; journalctl --sync`);
      const between = (): Promise<string> => machine.sh('journalctl -n 1 -o cat');
      await until(async () => (await between()) === 'between', 'the journal has it');
      const baseline = await check.baseline(never());
      expect(await check.verdict(baseline, never())).toEqual({ outcome: 'passed', detail: 'none' });
      await logErrors(1);
      expect((await check.verdict(baseline, never())).detail).toMatch(/^1 new, /);
    }
  });

  test('five new errors pass, the sixth warns, and what is no error does not count', async () => {
    const check = journalValidator(machineHost());
    await logErrors(3);
    const baseline = await check.baseline(never());
    await machine.sh('for i in 1 2 3 4 5 6 7 8; do logger -t wiki -p daemon.warning careful; done');
    await logErrors(5);
    const five = await check.verdict(baseline, never());
    expect(five.outcome).toBe('passed');
    expect(five.detail).toMatch(/^5 new, the last of \S+: error [\d.]+ 5$/);
    await logErrors(1);
    expect(await check.verdict(baseline, never())).toMatchObject({ outcome: 'warning' });
  });

  test('a journal that was emptied meanwhile passes or warns, and never fails', async () => {
    const check = journalValidator(machineHost());
    await logErrors(1);
    const baseline = await check.baseline(never());
    await machine.sh('journalctl --rotate; journalctl --vacuum-time=1s');
    await logErrors(7);
    expect(['passed', 'warning']).toContain((await check.verdict(baseline, never())).outcome);
  });
});
