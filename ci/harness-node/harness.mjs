// A small system behind the harness protocol, in Node.js without any package: an example for those who write their own.
//
// It keeps objects of ten kinds in memory, and lets them be listed, watched and deleted by labels and fields. That is
// the profile `selection` but for one thing that it does not do: it judges no object. So the suite must fail it in the
// scenarios where an object is refused for its selector (ci/tests/test_suite_harness_node.py has the list).
//
//   node ci/harness-node/harness.mjs            prints the target to hand to gherkube run --target
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'

const KINDS = {
  namespaces: 'Namespace', secrets: 'Secret', configmaps: 'ConfigMap', pods: 'Pod', events: 'Event', services: 'Service',
  replicationcontrollers: 'ReplicationController', replicasets: 'ReplicaSet', deployments: 'Deployment',
  statefulsets: 'StatefulSet',
}
const FIELDS = {
  Secret: ['type'], Namespace: ['status.phase'], Pod: ['spec.nodeName', 'status.phase'],
  Event: ['involvedObject.kind', 'involvedObject.name', 'reason', 'type'],
}

// The system: objects, and the history that watches are told from.
let objects, history, version, watchers

const reset = () => {
  for (const watcher of watchers ?? []) watcher.response.end()
  objects = new Map()
  history = []
  version = 1
  watchers = new Set()
  write(null, withDefaults({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }))
}

class Refusal extends Error {
  constructor(code, reason, message) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

const keyOf = (object) => `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`

const write = (before, after) => {
  version += 1
  const stamped = after && { ...after, metadata: { ...after.metadata, resourceVersion: String(version) } }
  const gone = before && { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } }
  if (stamped) objects.set(keyOf(stamped), stamped)
  else objects.delete(keyOf(before))
  const change = { version, before, after: stamped, gone }
  history.push(change)
  for (const watcher of watchers) tell(watcher, change)
  return stamped ?? gone
}

const withDefaults = (object) => {
  const made = structuredClone(object)
  Object.assign(made.metadata, { uid: randomUUID(), creationTimestamp: new Date().toISOString().replace(/\.\d+/, '') })
  if (made.kind === 'Secret') made.type ??= 'Opaque'
  if (made.kind === 'Namespace' || made.kind === 'Pod') {
    made.status = { phase: made.kind === 'Pod' ? 'Pending' : 'Active', ...made.status }
  }
  return made
}

const remove = (object) => {
  if (!object.metadata.finalizers?.length) return write(object, null)
  const at = new Date().toISOString().replace(/\.\d+/, '')
  return object.metadata.deletionTimestamp ? object
    : write(object, { ...object, metadata: { ...object.metadata, deletionTimestamp: at } })
}

const replace = (old, fresh) => {
  if (fresh.metadata?.resourceVersion && fresh.metadata.resourceVersion !== old.metadata.resourceVersion) {
    throw new Refusal(409, 'Conflict', 'the object has been modified')
  }
  const { uid, creationTimestamp, deletionTimestamp, resourceVersion } = old.metadata
  const kept = deletionTimestamp ? { uid, creationTimestamp, deletionTimestamp } : { uid, creationTimestamp }
  const made = { ...fresh, metadata: { ...fresh.metadata, ...kept, resourceVersion } }
  if (deletionTimestamp && !made.metadata.finalizers?.length) return write(old, null)
  return JSON.stringify(made) === JSON.stringify(old) ? old : write(old, made)
}

// Selectors

const WORD = /^(([A-Za-z0-9][-\w.]*)?[A-Za-z0-9])?$/
const KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/
const bad = (text) => new Refusal(400, 'BadRequest', `unable to parse requirement: ${text}`)

const labelRequirements = (text) => {
  if (!text.trim()) return []
  const parts = text.match(/([^,(]|\([^)]*\)?)+|(?<=,|^)(?=,|$)/g) ?? []
  return parts.map((part) => {
    const trimmed = part.trim()
    const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(trimmed)
    const relation = set ? null : /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(trimmed)
    const present = set || relation ? null : /^(!?)\s*([^\s=!]+)$/.exec(trimmed)
    if (!set && !relation && !present) throw bad(text)
    const key = (set ?? relation)?.[1] ?? present[2]
    const values = set ? set[3].split(',').map((value) => value.trim()) : relation ? [relation[3]] : []
    if (!KEY.test(key) || !values.every((value) => WORD.test(value))) throw bad(text)
    const negative = set ? set[2] === 'notin' : relation ? relation[2] === '!=' : present[1] === '!'
    return (labels) => {
      const has = Object.hasOwn(labels, key)
      const meets = present ? has : has && values.includes(labels[key])
      return meets !== negative
    }
  })
}

const fieldRequirements = (text, kind) => text.split(',').filter(Boolean).map((part) => {
  const found = /^([^=!]+)(==|=|!=)(.*)$/.exec(part)
  if (!found) throw bad(text)
  const [, path, relation, wanted] = found
  if (!['metadata.name', 'metadata.namespace', ...(FIELDS[kind] ?? [])].includes(path)) {
    throw new Refusal(400, 'BadRequest', `field label not supported: ${path}`)
  }
  return (object) => {
    const value = path.split('.').reduce((at, step) => at?.[step], object) ?? ''
    return (String(value) === wanted) === (relation !== '!=')
  }
})

const selection = (kind, namespace, query) => {
  const labels = labelRequirements(query.get('labelSelector') ?? '')
  const fields = fieldRequirements(query.get('fieldSelector') ?? '', kind)
  return (object) => object !== null && object.kind === kind && (!namespace || object.metadata.namespace === namespace) &&
    labels.every((meets) => meets(object.metadata.labels ?? {})) && fields.every((meets) => meets(object))
}

// Watches: what comes to match is added, what stops matching is deleted.

const tell = (watcher, { before, after, gone }) => {
  const was = watcher.selects(before)
  const is = watcher.selects(after)
  if (!was && !is) return
  const event = is ? { type: was ? 'MODIFIED' : 'ADDED', object: after } : { type: 'DELETED', object: gone }
  watcher.response.write(JSON.stringify(event) + '\n')
}

const watch = (response, selects, since) => {
  const watcher = { response, selects }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  if (Number(since)) history.filter((change) => change.version > Number(since)).forEach((change) => tell(watcher, change))
  else [...objects.values()].filter(selects).forEach((after) => tell(watcher, { before: null, after }))
  watchers.add(watcher)
  response.on('close', () => watchers.delete(watcher))
}

// The Kubernetes API

const api = (method, path, query, body, response) => {
  if (path === '/version') return [200, { major: '1', minor: '36', gitVersion: 'v1.36.0-node' }]
  const found = /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/]+)(?=\/[a-z]))?\/([a-z]+)(?:\/([^/]+))?(?:\/(status|finalize))?$/.exec(path)
  if (!found || !KINDS[found[2]]) throw new Refusal(404, 'NotFound', `there is no ${path}`)
  const [, namespace, plural, name, part] = found
  const kind = KINDS[plural]
  if (!name) return collection(method, kind, namespace, query, body, response)
  const old = objects.get(`${kind}/${namespace ?? ''}/${name}`)
  if (!old) throw new Refusal(404, 'NotFound', `${plural} "${name}" not found`)
  if (method === 'GET') return [200, old]
  if (method === 'DELETE') return [200, remove(old)]
  if (method === 'PUT') return [200, replace(old, part === 'status' ? { ...old, status: body.status } : { ...body, status: old.status })]
  if (method === 'PATCH') return [200, replace(old, merged(old, body))]
  throw new Refusal(405, 'MethodNotAllowed', `${method} is not served`)
}

const collection = (method, kind, namespace, query, body, response) => {
  if (method === 'POST') {
    const made = withDefaults({ ...body, kind, metadata: { ...body.metadata, ...(namespace ? { namespace } : {}) } })
    if (objects.has(keyOf(made))) throw new Refusal(409, 'AlreadyExists', `${keyOf(made)} already exists`)
    return [201, write(null, made)]
  }
  const selects = selection(kind, namespace, query)
  if (method === 'GET' && query.get('watch')) return watch(response, selects, query.get('resourceVersion'))
  const items = [...objects.values()].filter(selects)
  if (method === 'DELETE') items.forEach(remove)
  return [200, { apiVersion: 'v1', kind: `${kind}List`, metadata: { resourceVersion: String(version) }, items }]
}

const merged = (onto, patch) => {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch
  const made = { ...onto }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key]
    else made[key] = merged(made[key] ?? {}, value)
  }
  return made
}

// The harness protocol: schemas/harness.openapi.json

const harness = (method, path) => {
  if (method === 'GET' && path === '/') {
    return [200, {
      protocol: { versions: ['1'] },
      implementation: { organization: 'gherkube', project: 'harness-node', version: '1', language: 'JavaScript' },
      capabilities: [],
      isolation: 'reset',
      kubernetes: { server: url },
    }]
  }
  if (method === 'POST' && path === '/reset') {
    reset()
    return [200, {}]
  }
  return [501, { error: `this harness does not do ${method} ${path}` }]
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  let answer
  try {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    const body = text ? JSON.parse(text) : {}
    answer = pathname.startsWith('/harness')
      ? harness(request.method, pathname.slice('/harness'.length) || '/')
      : api(request.method, pathname, searchParams, body, response)
  } catch (error) {
    const code = error.code >= 400 ? error.code : error instanceof SyntaxError ? 400 : 500
    const reason = error.reason ?? (code === 400 ? 'BadRequest' : 'InternalError')
    answer = [code, { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message: error.message }]
  }
  if (!answer || response.headersSent) return // a watch
  response.writeHead(answer[0], { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer[1]))
})

let url
reset()
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  url = `http://127.0.0.1:${server.address().port}`
  console.log(`${url}/harness`)
})
