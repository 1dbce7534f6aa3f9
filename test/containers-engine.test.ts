import { expect, test } from 'vitest';
import { ownContainer, parseContainers } from '../src/adapters/containers/engine/parse.ts';

const ID = '3f'.repeat(32);
const OTHER = 'ab'.repeat(32);

test('the container that a process runs in is told from those that it sees', () => {
  // proc(5), as Docker 20.10 and Podman 4.3 mount them
  const docker = `612 601 0:31 / /proc rw - proc proc rw
640 612 8:1 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw`;
  const podman = `1 2 0:25 /containers/storage/overlay-containers/${ID}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw`;
  const host = `70 30 0:50 / /var/lib/docker/containers/${OTHER}/mounts/shm rw - tmpfs shm rw`;
  expect([...ownContainer(docker, '0::/')]).toEqual([ID]);
  expect([...ownContainer(podman, '0::/')]).toEqual([ID]);
  expect([...ownContainer(host, '0::/user.slice/session-1.scope')]).toEqual([]);
  expect([...ownContainer('', `12:cpu:/docker/${ID}\n0::/system.slice/docker-${OTHER}.scope\n`)]).toEqual([ID, OTHER]);
  expect([...ownContainer('', `0::/machine.slice/libpod-${ID}.scope\n`)]).toEqual([ID]);
});

test('containers are read as docker and podman print them', () => {
  const row = (...fields: readonly unknown[]): string => fields.map((field) => JSON.stringify(field)).join('\t');
  const mounts = [
    { Type: 'volume', Name: 'data', Source: '/v/data/_data', RW: true },
    { Type: 'bind', Source: '/srv', RW: false },
  ];
  const network = {
    Ports: {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
      '90/tcp': null,
    },
    Networks: { wiki: { IPAddress: '172.18.0.2', Aliases: ['web', 'front'] }, other: { IPAddress: '', Aliases: null } },
  };
  const printed = [
    row(ID, '/web', true, true, false, '2026-01-01T00:00:00Z', { a: 'b' }, mounts, network),
    row(OTHER, 'x', false, false, true, '', null, null, null),
  ];
  expect(parseContainers(`${printed.join('\n')}\n`, new Set([OTHER]))).toEqual([
    {
      ...{ id: ID, name: 'web', running: true, createdAt: '2026-01-01T00:00:00Z', labels: { a: 'b' }, own: false },
      ...{ paused: true, removedAtEnd: false },
      mounts: [
        { kind: 'volume', source: 'data', folder: '/v/data/_data', writable: true },
        { kind: 'bind', source: '/srv', writable: false },
      ],
      reached: { names: ['web', '172.18.0.2', 'front'], ports: [8080] },
    },
    {
      ...{ id: OTHER, name: 'x', running: false, createdAt: '', labels: {}, mounts: [], own: true },
      ...{ paused: false, removedAtEnd: true },
      reached: { names: ['x'], ports: [] },
    },
  ]);
  expect(() => parseContainers('nonsense', new Set())).toThrow('cannot be read');
});
