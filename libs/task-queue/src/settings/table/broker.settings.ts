import { BROKER_URL_FORM, readBrokerUrl } from '../readers/broker-url.reader.js';
import { readSslOptions } from '../readers/ssl.reader.js';
import { dictOf } from '../readers/value.reader.js';
import type { DictShape, Reading, ValueSetting } from '../setting-definition.interface.js';
import { snakeName } from '../setting-names.util.js';

const NO_VISIBILITY_TIMEOUT =
  'there is no visibility timeout; a lost worker is noticed by its lease (broker_lease_duration)';
const OWN_CONNECTIONS = 'the number of connections is fixed';
const OWN_LAYOUT = "the keys are BullMQ's";

const TRANSPORT_OPTIONS: DictShape = {
  typeName: 'BrokerTransportOptions',
  doc: 'Options of the broker driver.',
  fields: [
    {
      name: 'global_keyprefix',
      type: 'string',
      default: undefined,
      doc: 'Redis: goes before every key, so that several applications may share a database.',
    },
    {
      name: 'socket_timeout',
      type: 'duration',
      default: undefined,
      nullable: true,
      min: 0,
      unit: 'seconds',
      doc: 'How long a command may take. null: no limit.',
    },
    {
      name: 'socket_connect_timeout',
      type: 'duration',
      default: undefined,
      nullable: true,
      min: 0,
      unit: 'seconds',
      doc: 'How long connecting may take. Default: broker_connection_timeout.',
    },
    {
      name: 'socket_keepalive',
      type: 'boolean',
      default: undefined,
      doc: 'Turn on TCP keep-alive.',
    },
    {
      name: 'master_name',
      type: 'string',
      default: undefined,
      doc: 'Sentinel: name of the group of servers.',
    },
    {
      name: 'sentinel_kwargs',
      type: 'dict',
      default: undefined,
      doc: 'Sentinel: options of the connection to the sentinels, such as { password }.',
    },
    {
      name: 'schema',
      type: 'string',
      default: undefined,
      doc: 'PostgreSQL: the schema that holds the tables.',
    },
    {
      name: 'pool_size',
      type: 'integer',
      default: undefined,
      min: 1,
      unit: 'connections',
      doc: 'PostgreSQL: most connections of one process.',
    },
    {
      name: 'migrate',
      type: 'boolean',
      default: undefined,
      doc: 'PostgreSQL: create and update the tables at the start.',
    },
    {
      name: 'store',
      type: 'custom',
      default: undefined,
      read: readMemoryStore,
      doc: 'Memory: a MemoryStore. Modules that are given the same one share its tasks and results. From code only. Default: one of its own.',
    },
  ],
  ignored: {
    visibility_timeout: NO_VISIBILITY_TIMEOUT,
    unacked_restore_limit: NO_VISIBILITY_TIMEOUT,
    polling_interval: 'nothing is polled',
    priority_steps: 'every queue knows the priorities 0 to 9',
    queue_order_strategy: 'the queues of a worker are served in turn',
    sep: OWN_LAYOUT,
    fanout_prefix: OWN_LAYOUT,
    fanout_patterns: OWN_LAYOUT,
    max_connections: OWN_CONNECTIONS,
    health_check_interval: 'a broken connection is noticed by itself',
    retry_on_timeout: 'see broker_connection_retry',
    max_retries: 'see task_publish_retry_policy',
    interval_start: 'see task_publish_retry_policy',
    interval_step: 'see task_publish_retry_policy',
    interval_max: 'see task_publish_retry_policy',
    client_name: 'connections name themselves',
  },
};

/** The connection to the broker, and the leases on its tasks. */
export const BROKER_SETTINGS: readonly ValueSetting[] = [
  {
    name: 'broker_url',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'string',
    default: null,
    read: readBrokerUrl,
    celeryDefault: 'amqp://. There is no AMQP here, so a broker has to be named.',
    tsInput: 'string | readonly string[]',
    doc: `Where tasks are kept; ${BROKER_URL_FORM}. Also rediss://, valkey://, sentinel://, redis+cluster:// and postgres://. Required, unless task_always_eager is set.`,
  },
  {
    name: 'broker_read_url',
    group: 'Broker',
    status: 'honoured',
    built: false,
    type: 'string',
    default: null,
    read: readBrokerUrl,
    doc: 'Broker from which tasks are fetched. null: broker_url.',
  },
  {
    name: 'broker_write_url',
    group: 'Broker',
    status: 'honoured',
    built: false,
    type: 'string',
    default: null,
    read: readBrokerUrl,
    doc: 'Broker to which tasks are published. null: broker_url.',
  },
  {
    name: 'broker_connection_timeout',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'duration',
    default: 4,
    min: 0.001,
    unit: 'seconds',
    doc: 'How long connecting may take before it counts as failed.',
  },
  {
    name: 'broker_connection_retry',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'boolean',
    default: true,
    doc: 'A worker connects again by itself when the connection breaks.',
  },
  {
    name: 'broker_connection_retry_on_startup',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'boolean',
    default: null,
    doc: 'A worker tries again when the first connection fails. null: as broker_connection_retry.',
  },
  {
    name: 'broker_connection_max_retries',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'integer',
    default: 100,
    nullable: true,
    zeroIsNull: true,
    min: 0,
    doc: 'Attempts to connect before a worker gives up. 0 or null: no limit.',
  },
  {
    name: 'broker_failover_strategy',
    group: 'Broker',
    status: 'honoured',
    built: false,
    type: 'string',
    default: null,
    doc: 'Order in which several brokers are tried.',
  },
  {
    name: 'broker_pool_limit',
    group: 'Broker',
    status: 'accepted',
    built: true,
    type: 'integer',
    default: 10,
    nullable: true,
    min: 0,
    note: 'broker_pool_limit has no effect here: a process has one connection for commands and one that waits. For PostgreSQL set pool_size in broker_transport_options.',
    doc: 'Connections kept for publishing. Nothing to do here: one is enough.',
  },
  {
    name: 'broker_pool_acquire_timeout',
    group: 'Broker',
    status: 'accepted',
    built: true,
    type: 'duration',
    default: null,
    min: 0,
    unit: 'seconds',
    note: 'broker_pool_acquire_timeout has no effect here: see task_publish_timeout.',
    doc: 'How long to wait for a free connection. Nothing to do here.',
  },
  {
    name: 'broker_use_ssl',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'custom',
    default: false,
    read: readSslOptions,
    tsType: 'boolean | Readonly<Record<string, unknown>>',
    doc: "Encrypt the connection: true, or options of Node's tls.connect (ca, cert, key, rejectUnauthorized, servername).",
  },
  {
    name: 'broker_transport_options',
    group: 'Broker',
    status: 'honoured',
    built: true,
    type: 'dict',
    default: {},
    shape: TRANSPORT_OPTIONS,
    tsType: 'BrokerTransportOptions',
    tsInput: 'BrokerTransportOptionsInput',
    note: (_value, raw) => ignoredKeys(raw),
    doc: 'Options of the driver.',
  },
  {
    name: 'broker_lease_duration',
    group: 'Broker',
    origin: 'ours',
    status: 'honoured',
    built: true,
    type: 'duration',
    default: 30,
    min: 1,
    unit: 'seconds',
    doc: 'How long a task belongs to a worker that shows no sign of life. Leases are renewed while a task runs.',
  },
  {
    name: 'broker_lease_check_interval',
    group: 'Broker',
    origin: 'ours',
    status: 'honoured',
    built: true,
    type: 'duration',
    default: 5,
    min: 0.1,
    unit: 'seconds',
    doc: 'How often workers look for tasks whose worker was lost.',
  },
];

function ignoredKeys(raw: unknown): string | undefined {
  const dict = dictOf(raw) ?? {};
  const reasons = Object.keys(dict).flatMap((key) => {
    const name = snakeName(key);
    const reason = Object.hasOwn(TRANSPORT_OPTIONS.ignored!, name)
      ? TRANSPORT_OPTIONS.ignored![name]
      : undefined;
    return reason === undefined ? [] : [`${key} (${reason})`];
  });
  return reasons.length === 0
    ? undefined
    : `In broker_transport_options these keys have no effect here: ${reasons.join('; ')}.`;
}

/** A store is recognised by what it does: the room of the brokers lies above this one. */
function readMemoryStore(raw: unknown): Reading {
  return typeof raw === 'object' && raw !== null && 'publish' in raw
    ? { value: raw }
    : { problem: 'must be a MemoryStore: new MemoryStore() of nestjs-celery' };
}
