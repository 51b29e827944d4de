import {h} from '../../lib/dom.js';

/**
 * Times, models, hashes: what a developer or a study needs.
 * @param {import('../i18n.js').AppI18n} i18n
 * @param {object} record
 * @returns {HTMLElement}
 */
export function details(i18n, record) {
  const {phone, jetson} = record;
  const {answer} = jetson;
  const rows = [
    row(i18n, 'time', times(i18n, phone.milliseconds), answer && there(i18n, jetson)),
    row(i18n, 'model', named(phone.model), answer && named(answer.server.model)),
    row(i18n, 'file', file(phone.model), answer && file(adapted(answer.server.model))),
    row(i18n, 'runtime', phone.runtime, answer?.server.runtime.name),
    row(i18n, 'preprocessing', phone.preprocessing, answer?.server.preprocessing),
    row(i18n, 'input', hash(phone.inputSha256), answer && arrived(i18n, answer)),
  ];
  return h('details', {class: 'card details'}, h('summary', {}, i18n.t('details.title')),
    h('dl', {}, rows, facts(i18n, record)));
}

function row(i18n, key, phone, jetson) {
  return [h('dt', {}, i18n.t(`details.${key}`)),
    one(i18n, 'phone', phone),
    jetson && one(i18n, 'jetson', jetson)];
}

function one(i18n, who, text) {
  return h('dd', {class: 'of'}, h('span', {class: `swatch ${who}`}, i18n.t(`side.${who}`)), h('span', {}, text));
}

function facts(i18n, {jetson: {answer}, photo: {width, height, orientation}}) {
  return [
    h('dt', {}, i18n.t('details.photo')),
    h('dd', {}, i18n.t('details.photo.size', {width: String(width), height: String(height), orientation})),
    answer && h('dd', {}, i18n.t(answer.photo_kept ? 'details.kept' : 'details.not-kept')),
    answer && [h('dt', {}, i18n.t('details.comparison')), h('dd', {}, h('code', {}, answer.id))],
  ];
}

function times(i18n, {prepare, infer}) {
  return i18n.t('details.time.phone', {prepare: i18n.duration(prepare), infer: i18n.duration(infer)});
}

function there(i18n, {answer, milliseconds}) {
  const total = i18n.duration(milliseconds);
  const served = answer.server.milliseconds;
  if (!served) return i18n.t('details.time.jetson', {total});
  const [prepare, infer] = [served.prepare, served.infer].map((one) => i18n.duration(one));
  return i18n.t('details.time.served', {total, prepare, infer});
}

function named({name, version, sha256}) {
  return [`${name} ${version} `, hash(sha256)];
}

function adapted({target, precision, artifact_sha256: artifactSha256}) {
  return {target, precision, artifactSha256};
}

function file({target, precision, artifactSha256}) {
  return [`${target} ${precision} `, hash(artifactSha256)];
}

function hash(sha256) {
  return h('code', {title: sha256}, sha256.slice(0, 12));
}

function arrived(i18n, {server, verdict}) {
  const [look, text] = verdict.same_input ? ['good', 'details.input.same'] : ['warn', 'details.input.other'];
  return [hash(server.input_sha256), ' ', h('span', {class: `tag ${look}`}, i18n.t(text))];
}
