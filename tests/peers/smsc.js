// An SMSC that does as it is told: npm's `smpp` behind lines of JSON, orders on stdin, answers and news on stdout.
//
// tests/peers/smpp.py starts it and says what the orders mean. It ends when its stdin does.

'use strict'

const smpp = require('smpp')

const { PDU, commands, encodings } = smpp
const GENERIC_NACK = 'generic_nack'
const STATES = {
  SCHEDULED: 0, ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8,
}
const STATUS = { throttle: 0x58, full: 0x14 }

// Fields stay as they are on the wire: no decoding of texts, times and headers behind our back.
for (const command of Object.values(commands)) {
  for (const param of Object.values(command.params || {})) delete param.filter
}
for (const tlv of Object.values(smpp.tlvs)) delete tlv.filter
PDU.maxLength = 70000
const parse = PDU.prototype.fromBuffer
PDU.prototype.fromBuffer = function (buffer) {
  this.raw = buffer
  return parse.call(this, buffer)
}

const given = JSON.parse(process.argv[2])
const DEFAULTS = {
  alphabet: 'gsm',
  bind: 'ok',
  bind_status: 0,
  enquire: 'ok',
  greet: false,
  ids: { base: 16, width: 8, upper: false },
  max_binds: 0,
  max_binds_status: 0x0d,
  mute: false,
  output: 'plain',
  output_ms: 20,
  password: null,
  patience: 20000,
  rate: 0,
  receipts: null,
  receipt_ids: null,
  retry: 50,
  system_id: null,
}
const settings = { ...DEFAULTS, ...given.settings }
const links = new Set()
const taken = new Map() // the submits by their number
const pending = new Set() // deliveries nobody has acknowledged
let always = { kind: 'ok' }
let rules = []
let held = [] // what is to be done once somebody releases it
let lately = [] // when the last submits came, for the rate
let linkCount = 0
let submitCount = 0
let deliveryCount = 0

const say = (news) => process.stdout.write(JSON.stringify(news) + '\n')
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000

// ---- PDUs ---------------------------------------------------------------------------------------

function pack (command, sequence, { fields = {}, status = 0, tlvs = [], tail = '' } = {}) {
  const options = { ...fields, command_status: status, sequence_number: sequence }
  const extra = tlvs.map(([tag, hex]) => {
    const value = Buffer.from(hex, 'hex')
    const head = Buffer.alloc(4)
    head.writeUInt16BE(tag, 0)
    head.writeUInt16BE(value.length, 2)
    return Buffer.concat([head, value])
  })
  const whole = Buffer.concat([new PDU(command, options).toBuffer(), ...extra, Buffer.from(tail, 'hex')])
  whole.writeUInt32BE(whole.length, 0)
  return whole
}

function fieldsOf (pdu) {
  const fields = {}
  let offset = 16
  for (const [name, param] of Object.entries(commands[pdu.command].params || {})) {
    if (!(name in pdu)) break
    if (!Buffer.isBuffer(pdu[name])) fields[name] = pdu[name]
    offset += param.type.size(pdu[name])
  }
  const tlvs = {}
  while (offset + 4 <= pdu.raw.length) {
    const end = offset + 4 + pdu.raw.readUInt16BE(offset + 2)
    tlvs[pdu.raw.readUInt16BE(offset)] = pdu.raw.toString('hex', offset + 4, end)
    offset = end
  }
  return { fields, tlvs, rest: pdu.raw.length - offset }
}

// ---- Texts --------------------------------------------------------------------------------------

const coders = {
  gsm: encodings.ASCII,
  latin1: encodings.LATIN1,
  ucs2: encodings.UCS2,
  ascii: { encode: (text) => Buffer.from(text, 'ascii'), decode: (data) => data.toString('ascii') },
  utf8: { encode: (text) => Buffer.from(text), decode: (data) => data.toString() },
}
const CODES = { ascii: 1, latin1: 3, ucs2: 8 }

// 3GPP TS 23.038 §4 for the groups 0x1x and 0xFx, SMPP 3.4 §5.2.19 for the rest.
function coderOf (code) {
  if (code === 1) return coders.ascii
  if (code === 3) return coders.latin1
  if (code === 8 || (code & 0xfc) === 0x18) return coders.ucs2
  if (code === 0 || (code & 0xfc) === 0x10 || (code & 0xfc) === 0xf0) return coders[settings.alphabet]
  return null
}

function read (pdu, { fields, tlvs }) {
  const payload = 0x0424 in tlvs
  const whole = payload ? Buffer.from(tlvs[0x0424], 'hex') : pdu.short_message
  const header = fields.esm_class & 0x40 ? whole.subarray(0, whole[0] + 1) : Buffer.alloc(0)
  const data = whole.subarray(header.length)
  const coder = coderOf(fields.data_coding)
  return { text: coder && coder.decode(data), data: data.toString('hex'), header: header.toString('hex') }
}

let reference = 200
function parts ({ text, coding, split, from, to, fields = {}, tlvs = [] }) {
  const name = coding || (coders[settings.alphabet] === coders.gsm && encodings.ASCII.match(text) ? 'gsm' : 'ucs2')
  const data = coders[name].encode(text)
  const common = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: from.replace('+', ''), dest_addr_ton: 1, dest_addr_npi: 1,
    destination_addr: to.replace('+', ''), data_coding: CODES[name] || 0, ...fields,
  }
  const esm = common.esm_class || 0
  if (split === 'payload') return [{ fields: common, tlvs: [...tlvs, [0x0424, data.toString('hex')]] }]
  if (!split) return [{ fields: common, message: data.toString('hex'), tlvs }]
  const ref = reference++ & (split === 'udh8' ? 0xff : 0xffff)
  const room = name === 'gsm' ? { udh8: 153, udh16: 152, sar: 153 }[split] : { udh8: 134, udh16: 132, sar: 134 }[split]
  const cut = []
  for (let at = 0; at < data.length;) {
    let end = Math.min(at + room, data.length)
    if (name === 'gsm' && end < data.length && data[end - 1] === 0x1b) end -= 1
    cut.push(data.subarray(at, end))
    at = end
  }
  return cut.map((piece, index) => {
    const [total, n] = [cut.length, index + 1]
    if (split === 'sar') {
      const hex = (value, width) => value.toString(16).padStart(width, '0')
      const sar = [[0x020c, hex(ref, 4)], [0x020e, hex(total, 2)], [0x020f, hex(n, 2)]]
      return { fields: common, message: piece.toString('hex'), tlvs: [...sar, ...tlvs] }
    }
    const udh = split === 'udh8' ? [5, 0, 3, ref, total, n] : [6, 8, 4, ref >> 8, ref & 0xff, total, n]
    const message = Buffer.concat([Buffer.from(udh), piece]).toString('hex')
    return { fields: { ...common, esm_class: esm | 0x40 }, message, tlvs }
  })
}

// ---- Receipts -----------------------------------------------------------------------------------

function idOf (number, style) {
  if (typeof style === 'string') return style
  const id = number.toString(style.base || 10).padStart(style.width || 0, '0')
  return style.upper ? id.toUpperCase() : id
}

function receiptOf (submit, { stat = 'DELIVRD', err = '000', form = 'both', by = 'deliver_sm', nul = true, digits = 10,
  id = submit.receiptId, esm_class = 4, text, tlvs = [], message_state = STATES[stat], source, destination } = {}) {
  const date = new Date().toISOString().replace(/\D/g, '').slice(2, 2 + digits)
  const words = text ?? `id:${id} sub:001 dlvrd:${stat === 'DELIVRD' ? '001' : '000'} submit date:${date} ` +
    `done date:${date} stat:${stat} err:${err} text:${submit.text || ''}`.slice(0, 150)
  const fields = {
    source_addr_ton: submit.fields.dest_addr_ton, source_addr_npi: submit.fields.dest_addr_npi,
    source_addr: source ?? submit.fields.destination_addr, dest_addr_ton: submit.fields.source_addr_ton,
    dest_addr_npi: submit.fields.source_addr_npi, destination_addr: destination ?? submit.fields.source_addr,
    esm_class, data_coding: 0,
  }
  const state = [[0x001e, Buffer.from(id + (nul ? '\0' : '')).toString('hex')]]
  if (message_state !== undefined) state.push([0x0427, message_state.toString(16).padStart(2, '0')])
  const message = form === 'tlv' ? '' : encodings.ASCII.encode(words).toString('hex')
  return { by, fields, message, tlvs: [...(form === 'text' ? [] : state), ...tlvs], system_id: submit.system_id }
}

function wantsReceipt (submit, stat) {
  const wanted = submit.fields.registered_delivery & 3
  return wanted === 1 || (wanted === 2 && stat !== 'DELIVRD') || (wanted === 3 && stat === 'DELIVRD')
}

// Each delivery is repeated until it is answered with 0, on whatever bind of that system_id can receive.
class Delivery {
  constructor ({ by = 'deliver_sm', fields, message = '', tlvs = [], system_id = null, once = false }, first) {
    const short = Buffer.from(message, 'hex')
    this.number = ++deliveryCount
    this.command = by
    this.content = by === 'data_sm' && short.length
      ? { fields, tlvs: [[0x0424, message], ...tlvs] }
      : { fields: { ...fields, short_message: short }, tlvs }
    this.system_id = system_id
    this.once = once
    this.first = first || (() => {})
    this.attempts = 0
    this.flying = false
    pending.add(this)
    this.go()
  }

  go () {
    if (this.flying || !pending.has(this)) return
    const able = [...links].filter((link) => link.receives(this.system_id))
    if (!able.length) return
    this.flying = true
    this.attempts += 1
    const link = able[this.number % able.length]
    link.request(this.command, this.content, (status) => this.answered(link, status))
  }

  answered (link, status) {
    this.flying = false
    say({ news: 'response', delivery: this.number, attempt: this.attempts, status, link: link.number })
    this.first({ status })
    this.first = () => {}
    if (status === 0 || this.once) pending.delete(this)
    else setTimeout(() => this.go(), settings.retry)
  }
}

// ---- Connections --------------------------------------------------------------------------------

class Link {
  constructor (session) {
    this.number = ++linkCount
    this.session = session
    this.socket = session.socket
    this.bind = null
    this.sequence = 0
    this.waiting = new Map()
    this.unanswered = 0
    this.held = []
    this.queue = Buffer.alloc(0)
    this.timer = null
    this.socket.setNoDelay(true)
    session.on('pdu', (pdu) => this.take(pdu))
    session.on('error', (error) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') say({ news: 'error', link: this.number, words: String(error) })
      this.socket.destroy()
    })
    session.on('close', () => this.closed())
    links.add(this)
    say({ news: 'connect', link: this.number })
  }

  closed () {
    links.delete(this)
    clearTimeout(this.timer)
    for (const done of this.waiting.values()) done(null)
    this.waiting.clear()
    say({ news: 'close', link: this.number, unanswered: this.unanswered })
  }

  receives (systemId) {
    const able = this.bind && this.bind.mode !== 'bind_transmitter' && !this.leaving
    return able && (systemId === null || systemId === this.bind.system_id)
  }

  write (buffer) {
    if (settings.output === 'plain' && !this.queue.length) return this.socket.write(buffer)
    this.queue = Buffer.concat([this.queue, buffer])
    if (!this.timer) this.schedule()
  }

  schedule () {
    const flush = () => {
      const size = settings.output === 'bytes' ? 1 : this.queue.length
      if (!this.socket.destroyed) this.socket.write(this.queue.subarray(0, size))
      this.queue = this.queue.subarray(size)
      this.timer = null
      if (this.queue.length) this.schedule()
    }
    this.timer = settings.output === 'coalesce' ? setTimeout(flush, settings.output_ms) : setImmediate(flush)
  }

  answer (pdu, content = {}) {
    if (pdu.command === 'submit_sm') this.unanswered -= 1
    this.write(pack(content.command || pdu.command + '_resp', content.sequence ?? pdu.sequence_number, content))
  }

  request (command, content, done) {
    const sequence = ++this.sequence
    const timer = setTimeout(() => settle(null), settings.patience)
    const settle = (status, pdu) => {
      clearTimeout(timer)
      if (this.waiting.delete(sequence)) done(status, pdu)
    }
    this.waiting.set(sequence, settle)
    this.write(pack(command, sequence, content))
  }

  take (pdu) {
    if (pdu.isResponse()) {
      const settle = this.waiting.get(pdu.sequence_number)
      if (pdu.command === GENERIC_NACK) say({ news: 'nack', link: this.number, status: pdu.command_status })
      if (settle) settle(pdu.command_status, pdu)
      else if (pdu.command !== GENERIC_NACK) say({ news: 'stray', link: this.number, command: pdu.command })
      return
    }
    if (settings.mute) return
    if (pdu.command.startsWith('bind_')) this.bound(pdu)
    else if (pdu.command === 'submit_sm') this.submitted(pdu)
    else if (pdu.command === 'enquire_link') this.enquired(pdu)
    else if (pdu.command === 'unbind') this.unbound(pdu)
    else this.answer(pdu, { command: GENERIC_NACK, status: 3 })
  }

  bound (pdu) {
    const fields = fieldsOf(pdu).fields
    const same = [...links].filter((link) => link.bind && link.bind.system_id === fields.system_id)
    const wrong = settings.password !== null &&
      (fields.password !== settings.password || (settings.system_id ?? fields.system_id) !== fields.system_id)
    let status = settings.bind_status || (wrong ? 0x0e : 0)
    if (!status && settings.max_binds && same.length >= settings.max_binds) status = settings.max_binds_status
    say({ news: 'bind', link: this.number, mode: pdu.command, status, fields })
    if (settings.bind === 'mute') return
    if (settings.greet) this.request('enquire_link', {}, () => {})
    if (settings.bind === 'nack') return this.answer(pdu, { command: GENERIC_NACK, status: 3 })
    this.answer(pdu, { fields: { system_id: 'smsc' }, status })
    if (status) return
    this.bind = { mode: pdu.command, system_id: fields.system_id }
    for (const delivery of pending) delivery.go()
  }

  enquired (pdu) {
    say({ news: 'enquire', link: this.number })
    if (settings.enquire === 'ok') this.answer(pdu)
  }

  unbound (pdu) {
    say({ news: 'unbind', link: this.number, unanswered: this.unanswered })
    this.answer(pdu)
    this.leaving = true
    this.bind = null
  }

  submitted (pdu) {
    this.unanswered += 1
    const content = fieldsOf(pdu)
    const rule = this.bind && this.bind.mode !== 'bind_receiver' ? nextRule() : { kind: 0x04 }
    const number = ++submitCount
    const refused = typeof rule.kind === 'number' || rule.kind === 'nack'
    const submit = {
      ...content, ...read(pdu, content), number, id: refused ? '' : idOf(number, rule.ids ?? settings.ids),
      receiptId: idOf(number, settings.receipt_ids ?? rule.ids ?? settings.ids), system_id: this.bind && this.bind.system_id,
    }
    taken.set(number, submit)
    say({
      news: 'submit', ...submit, link: this.number, window: this.unanswered, sequence: pdu.sequence_number, at: now(),
      outcome: rule.kind, raw: pdu.raw.toString('hex'),
    })
    const act = () => this.act(rule, pdu, submit)
    if (rule.held) held.push(act)
    else if (rule.delay) setTimeout(act, rule.delay)
    else act()
  }

  act (rule, pdu, submit) {
    if (this.socket.destroyed || rule.kind === 'mute') return
    if (typeof rule.kind === 'number') this.answer(pdu, { status: rule.kind, tail: rule.tail })
    else if (rule.kind === 'nack') {
      this.answer(pdu, { command: GENERIC_NACK, status: rule.status ?? 3, sequence: rule.sequence })
    } else if (rule.kind === 'reorder') this.hold(rule, pdu, submit)
    else if (rule.kind === 'drop') rule.last && this.socket.destroy()
    else {
      this.accept(pdu, submit, rule)
      if (rule.kind === 'unbind' && rule.last) this.leave()
    }
  }

  accept (pdu, submit, rule) {
    const auto = settings.receipts
    const wanted = auto && (auto.always || wantsReceipt(submit, auto.stat || 'DELIVRD'))
    const send = () => {
      for (let n = 0; n < (auto.times || 1); n++) new Delivery(receiptOf(submit, auto))
    }
    if (wanted && auto.early) send()
    this.answer(pdu, { fields: { message_id: submit.id }, tlvs: rule.tlvs })
    if (wanted && !auto.early) auto.delay ? setTimeout(send, auto.delay) : send()
  }

  hold (rule, pdu, submit) {
    this.held.push(() => this.accept(pdu, submit, rule))
    clearTimeout(this.release)
    const go = () => this.held.splice(0).reverse().forEach((accept) => accept())
    if (this.held.length >= (rule.batch || 5)) go()
    else this.release = setTimeout(go, 100)
  }

  leave () {
    this.leaving = true
    this.request('unbind', {}, (status) => {
      say({ news: 'unbound', link: this.number, status, unanswered: this.unanswered })
      this.socket.destroySoon()
    })
  }
}

function nextRule () {
  if (settings.rate) {
    const at = now()
    lately = [...lately.filter((time) => at - time < 1000), at]
    if (lately.length > settings.rate) return { kind: STATUS.throttle }
  }
  const rule = rules[0]
  if (!rule) return always
  rule.seen = (rule.seen || 0) + 1
  const last = rule.seen >= rule.times
  if (last) rules.shift()
  return { ...rule, last }
}

// ---- Orders -------------------------------------------------------------------------------------

const bound = () => [...links].filter((link) => link.bind)

const orders = {
  set: ({ values }, done) => done(Object.assign(settings, values)),
  behave: ({ rule }, done) => {
    rule.kind = STATUS[rule.kind] ?? rule.kind
    if (rule.times) rules.push(rule)
    else [always, rules] = [rule, []]
    done({})
  },
  release: (_order, done) => {
    for (const rule of [always, ...rules]) rule.held = false
    for (const act of held.splice(0)) act()
    done({})
  },
  reset: (_order, done) => {
    always = { kind: 'ok' }
    rules = []
    held = []
    lately = []
    pending.clear()
    taken.clear()
    submitCount = deliveryCount = 0
    if (!links.size) linkCount = 0
    done(Object.assign(settings, DEFAULTS, given.settings))
  },
  parts: (order, done) => done({ parts: parts(order) }),
  deliver: ({ content, wait }, done) => {
    const delivery = new Delivery(content, wait ? (answer) => done({ number: delivery?.number, ...answer }) : undefined)
    if (!wait) done({ number: delivery.number })
  },
  receipt: ({ number, options, wait }, done) => {
    const unknown = { fields: { source_addr: '', destination_addr: '' }, receiptId: '', system_id: null }
    orders.deliver({ content: { ...receiptOf(taken.get(number) || unknown, options), once: options.once }, wait }, done)
  },
  enquire: (_order, done) => {
    const all = bound()
    const answers = []
    if (!all.length) done({ answers })
    for (const link of all) {
      link.request('enquire_link', {}, (status) => {
        answers.push(status)
        if (answers.length === all.length) done({ answers })
      })
    }
  },
  alert: ({ from }, done) => {
    const fields = { source_addr: from, esme_addr: '12345' }
    for (const link of bound()) link.write(pack('alert_notification', ++link.sequence, { fields }))
    done({})
  },
  unbind: (_order, done) => {
    for (const link of bound()) link.leave()
    done({})
  },
  drop: (_order, done) => {
    for (const link of links) link.socket.destroy()
    done({})
  },
  raw: ({ hex }, done) => {
    for (const link of links) link.socket.write(Buffer.from(hex, 'hex'))
    done({})
  },
  binds: (_order, done) => {
    done({ binds: bound().map((link) => ({ link: link.number, ...link.bind, unanswered: link.unanswered })) })
  },
  pause: (_order, done) => done({}),
  refuse: (_order, done) => server.close() && done({}),
  listen: (_order, done) => server.listen(given.port, '127.0.0.1', () => done({})),
}

const server = smpp.createServer(given.tls || {}, (session) => new Link(session))
server.on('tlsClientError', (error) => say({ news: 'error', link: 0, words: String(error) }))
server.listen(given.port, '127.0.0.1', () => {
  given.port = server.address().port
  say({ news: 'listening', port: given.port })
})

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line)
  orders[order.order](order, (answer) => say({ answer: order.serial, ...answer }))
}).on('close', () => process.exit(0))
