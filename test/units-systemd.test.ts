import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { systemdUnit } from '../src/adapters/units/systemd/index.ts';
import { parseShown, stateOf } from '../src/adapters/units/systemd/parse.ts';
import type { Host } from '../src/ports/host.ts';
import type { Unit } from '../src/ports/unit.ts';
import { type UnitFixture, unitContract } from './contracts/unit.ts';
import { type DockerEngine, dockerEngine, until } from './services/docker.ts';
import { importDebian, type SystemdMachine, systemdAvailable, systemdMachine } from './services/systemd.ts';

const never = (): AbortSignal => new AbortController().signal;

test('blocks of properties are told apart, with their empty values and their equals signs', () => {
  const shown = parseShown('Id=a.service\nActiveState=active\nTriggeredBy=\n\nId=b=c.service\nActiveState=failed\n');
  expect(shown.map(({ Id }) => Id)).toEqual(['a.service', 'b=c.service']);
  expect(shown.map(stateOf)).toEqual(['active', 'failed']);
});

describe.runIf(systemdAvailable())('needs systemd', () => {
  let engine: DockerEngine;
  let machine: SystemdMachine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importDebian(engine);
    machine = await systemdMachine(engine);
    await machine.sh('useradd --create-home media; loginctl enable-linger media');
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  /** Runs the programs of a unit in the machine. */
  function machineHost(): Host {
    const local = localHost();
    return {
      ...local,
      run: ({ program, args, environment = {}, runAs }, options) => {
        const account = runAs === undefined ? [] : ['--user', runAs];
        const variables = Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
        const exec = ['exec', ...account, ...variables, machine.container, program, ...args];
        return local.run({ program: 'docker', args: exec, environment: engine.environment }, options);
      },
    };
  }
  const unitOf = (unit: string, user: string | true | null = null): Unit =>
    systemdUnit({ kind: 'systemd', host: 'local', unit, user }, machineHost());
  /** Writes units of the system and forgets what they did before. */
  async function define(units: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(units))
      await machine.sh(`printf '%s' '${text}' > /etc/systemd/system/${name}`);
    await machine.sh('systemctl daemon-reload');
  }
  const active = async (names: readonly string[], command = 'systemctl'): Promise<readonly string[]> => {
    const states = (await machine.sh(`${command} is-active ${names.join(' ')} || true`)).split('\n');
    return names.filter((_, place) => states[place] === 'active').toSorted();
  };

  async function serviceFixture(): Promise<UnitFixture> {
    await define({ 'app.service': '[Service]\nExecStart=sleep 600\n' });
    await machine.sh('systemctl start app.service');
    return {
      unit: unitOf('app.service'),
      missing: unitOf('nobody.service'),
      images: null,
      ...{ up: ['app.service'], down: [], health: 'undeclared' },
      seen: () => active(['app.service']),
      [Symbol.asyncDispose]: async () => void (await machine.sh('systemctl stop app.service')),
    };
  }
  unitContract('systemd', serviceFixture);

  async function userFixture(): Promise<UnitFixture> {
    const command = 'runuser -u media -- env XDG_RUNTIME_DIR=/run/user/$(id -u media) systemctl --user';
    const folder = '/home/media/.config/systemd/user';
    await machine.sh(`mkdir -p ${folder}; printf '[Service]\\nExecStart=sleep 600\\n' > ${folder}/own.service`);
    await until(
      async () => (await machine.sh('systemctl is-active user@$(id -u media) || true')) === 'active',
      'media',
    );
    await machine.sh(`${command} daemon-reload; ${command} start own.service`);
    return {
      unit: unitOf('own.service', 'media'),
      missing: unitOf('nobody.service', 'media'),
      images: null,
      ...{ up: ['own.service'], down: [], health: 'undeclared' },
      seen: () => active(['own.service'], command),
      [Symbol.asyncDispose]: async () => void (await machine.sh(`${command} stop own.service`)),
    };
  }
  unitContract("systemd, an account's manager", userFixture);

  test('an account that has no manager running is told, with what starts one', async () => {
    await machine.sh('id idle 2>/dev/null || useradd --create-home idle');
    await expect(unitOf('own.service', 'idle').state(never())).rejects.toMatchObject({
      code: 'ProcessFailed',
      hint: expect.stringContaining('loginctl enable-linger idle'),
    });
    await expect(unitOf('own.service', 'ghost').state(never())).rejects.toMatchObject({ code: 'ConfigurationInvalid' });
  });

  test('the processes of a unit are those of its control group, children too', async () => {
    await define({ 'family.service': '[Service]\nExecStart=sh -c "sleep 601 & sleep 602 & wait"\n' });
    await machine.sh('systemctl start family.service');
    const pgrep = 'pgrep -f "sleep 60[12]"';
    await until(async () => (await machine.sh(`${pgrep} | wc -l`)) === '3', 'three processes');
    const expected = (await machine.sh(pgrep)).split('\n').map(Number);
    expect((await unitOf('family.service').processes(never())).toSorted()).toEqual(expected.toSorted());
    await machine.sh('systemctl stop family.service');
  });

  test('what systemd stops together with a unit is started with it, as far as it ran', async () => {
    await define({
      'db.service': '[Service]\nExecStart=sleep 600\n',
      'web.service': '[Unit]\nRequires=db.service\nAfter=db.service\n[Service]\nExecStart=sleep 600\n',
      'proxy.service': '[Unit]\nBindsTo=web.service\nAfter=web.service\n[Service]\nExecStart=sleep 600\n',
      'report.service': '[Unit]\nRequires=db.service\nAfter=db.service\n[Service]\nExecStart=sleep 600\n',
    });
    const all = ['db.service', 'proxy.service', 'report.service', 'web.service'];
    await machine.sh('systemctl start proxy.service');
    expect(await active(all)).toEqual(['db.service', 'proxy.service', 'web.service']);
    const unit = unitOf('db.service');
    const running = await unit.running(never());
    await unit.stop(never());
    expect(await active(all)).toEqual([]);
    await unit.start(running, never());
    expect(await active(all)).toEqual(['db.service', 'proxy.service', 'web.service']);
    await machine.sh('systemctl stop db.service');
  });

  test('a unit that ends with an error is failed, and one that cannot start is UnitFailed with its log named', async () => {
    await define({ 'broken.service': '[Service]\nType=oneshot\nExecStart=false\n' });
    const unit = unitOf('broken.service');
    await expect(unit.start(null, never())).rejects.toMatchObject({
      code: 'UnitFailed',
      subject: 'broken.service',
      hint: expect.stringContaining('journalctl -u broken.service'),
    });
    expect(await unit.state(never())).toBe('failed');
    expect(await unit.health(never())).toBe('down');
    await unit.stop(never());
  });

  test('a unit that was started too often of late is started all the same', async () => {
    const service = '[Service]\nExecStartPre=test -e /run/ready\nExecStart=sleep 600\n';
    await define({ 'limited.service': `[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=600\n${service}` });
    await machine.sh('for try in 1 2 3; do systemctl start limited.service || true; done; touch /run/ready');
    await expect(machine.sh('systemctl start limited.service')).rejects.toThrow('limited.service');
    await unitOf('limited.service').start(null, never());
    expect(await active(['limited.service'])).toEqual(['limited.service']);
    await machine.sh('systemctl stop limited.service');
  });

  test('a unit that is started again and again is restarting, and one that starts slowly is on its way', async () => {
    await define({
      'loop.service':
        '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=sleep 0.05\nRestart=always\nRestartSec=100ms\n',
      'slow.service': '[Service]\nType=notify\nExecStart=sleep 600\nTimeoutStartSec=600\n',
    });
    await machine.sh('systemctl start loop.service; systemctl start --no-block slow.service');
    const loop = unitOf('loop.service');
    await loop.health(never());
    await until(async () => Number(await machine.sh('systemctl show --value -p NRestarts loop.service')) > 1, 'a loop');
    await until(async () => (await loop.health(never())) === 'restarting', 'its restarts');
    const slow = unitOf('slow.service');
    expect(await slow.state(never())).toBe('starting');
    expect(await slow.health(never())).toBe('starting');
    await machine.sh('systemctl stop loop.service slow.service');
  });

  test('timers and sockets that would start it again are named while they are active', async () => {
    await define({
      'job.service': '[Service]\nExecStart=sleep 600\n',
      'job.timer': '[Timer]\nOnActiveSec=1h\n',
      'job.socket': '[Socket]\nListenStream=/run/job.sock\n',
    });
    const unit = unitOf('job.service');
    expect(await unit.starters(never())).toEqual([]);
    await machine.sh('systemctl start job.timer job.socket');
    expect((await unit.starters(never())).toSorted()).toEqual(['job.socket', 'job.timer']);
    await machine.sh('systemctl stop job.timer job.socket');
  });
});
