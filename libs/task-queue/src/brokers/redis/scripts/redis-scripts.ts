import { asFunction } from './bull-scripts.js';
import { fetchBody, finishText } from './consume.lua.js';
import { EXPIRE_ONE, RANK_RECLAIMED, REDRIVE_ONE, REVOKE_ONE, WATCH_ONE } from './control.lua.js';
import { publishAny, publishOne, publishUsual } from './publish.lua.js';
import { RECORD } from './record.lua.js';
import { declare, inResultDb, type ScriptConstants } from './script-constants.js';

/**
 * Our Lua scripts. Those that move jobs are composed from BullMQ's own script texts, so that
 * the layout on disk is BullMQ's whatever its version, and a task's outcome and what follows
 * from it are one atomic step.
 *
 * What is the same for every call (prefixes, databases) stands in the text, and the many keys of
 * a queue are made from its base key in the script: parsing arguments is a good part of what a
 * call costs, on both sides.
 */

/** The scripts of one broker, by the name of their command. */
export function redisScripts(constants: ScriptConstants): Readonly<Record<ScriptName, string>> {
  const local = declare(constants);
  const { layout } = constants;
  return {
    celeryPublish: local + publishUsual(layout),
    celeryPublishAny: local + publishAny(layout),
    celeryFetch: local + asFunction('fetch', 'moveToActive') + fetchBody(constants),
    celeryFinish: local + finishText(constants, 'alone'),
    celeryFinishBare: local + finishText(constants, 'bare'),
    celeryFinishAndPublish: local + finishText(constants, 'successors'),
    celeryRetry: local + finishText(constants, 'retry'),
    celeryRecord: local + RECORD + 'return record(ARGV[1], ARGV[2], ARGV[3], ARGV[4])',
    celeryAnnounce: local + RECORD + 'wake(ARGV[1], ARGV[2], false) return 1',
    celeryExpire: local + RECORD + asFunction('remove', 'removeJob') + EXPIRE_ONE,
    celeryRevoke: local + RECORD + asFunction('remove', 'removeJob') + REVOKE_ONE,
    celeryReclaimed: RANK_RECLAIMED,
    celeryRedrive: local + publishOne(layout) + asFunction('remove', 'removeJob') + REDRIVE_ONE,
    celeryRead: local + inResultDb("redis.call('MGET', unpack(KEYS))"),
    celeryDelete: local + inResultDb("redis.call('DEL', unpack(KEYS))"),
    celeryWatch: local + WATCH_ONE,
    celeryWrite:
      local +
      inResultDb(
        "ARGV[2] == '' and redis.call('SET', KEYS[1], ARGV[1]) " +
          "or redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
      ),
  };
}

export type ScriptName =
  | 'celeryAnnounce'
  | 'celeryDelete'
  | 'celeryExpire'
  | 'celeryFetch'
  | 'celeryFinish'
  | 'celeryFinishAndPublish'
  | 'celeryFinishBare'
  | 'celeryPublish'
  | 'celeryPublishAny'
  | 'celeryRead'
  | 'celeryReclaimed'
  | 'celeryRecord'
  | 'celeryRedrive'
  | 'celeryRetry'
  | 'celeryRevoke'
  | 'celeryWatch'
  | 'celeryWrite';
