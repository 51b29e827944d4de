import {fill, h} from '../../lib/dom.js';
import {PRECISIONS} from '../phone-model.js';
import {reason} from './problem.js';

/**
 * The phone's model: which it is, another precision, an update, the way back.
 * @param {import('../main.js').App} app
 * @param {AbortSignal} signal ends it
 * @returns {HTMLElement}
 */
export function modelSettings(app, signal) {
  const {i18n, model} = app;
  const facts = h('div', {});
  const said = h('p', {role: 'status'});
  const draw = async () => {
    const elements = await drawn(app, (text) => fill(said, text));
    if (!signal.aborted) fill(facts, elements);
  };
  model.addEventListener('change', draw, {signal});
  draw();
  return h('section', {class: 'card'}, h('h2', {}, i18n.t('model.title')), facts, said);
}

async function drawn(app, say) {
  const {i18n, model} = app;
  const [keyId, back] = await Promise.all([model.keyId(), model.hasPrevious()]);
  const update = button(i18n, 'update', async () => say(outcome(app, await model.update(), say)));
  const rollBack = button(i18n, 'roll-back', async () => {
    await model.rollBack();
    say(model.error ? reason(i18n, model.error) : i18n.t('model.updated', {version: named(model)}));
  });
  return [
    model.state !== 'ready' && h('p', {class: 'strong'}, i18n.t(`model.${model.state}`)),
    model.release && list(i18n, model),
    hasEnded(model.release) && h('p', {class: 'strong'}, i18n.t('model.not-renewed', {day: endOf(i18n, model.release)})),
    precision(app, say),
    keyId && h('p', {class: 'quiet'}, `${i18n.t('model.key')}: `, h('code', {}, keyId)),
    h('div', {class: 'actions'}, update, back && rollBack, model.error?.code === 'untrusted' && trust(app, say)),
  ];
}

/** Whether the Jetson has not renewed what runs here; it goes on. */
function hasEnded(release) {
  return Boolean(release) && new Date(release.manifest.expires) < new Date(); // none: of a server before there were ends
}

function endOf(i18n, {manifest}) {
  return i18n.time(manifest.expires);
}

function list(i18n, {release, proof}) {
  const {manifest} = release;
  const {runtime, selfTest} = proof;
  const change = i18n.percent(selfTest.maxChange);
  const test = i18n.t('model.self-test.passed', {photos: selfTest.photos, change});
  const rows = [
    ['version', `${manifest.name} ${manifest.version}`],
    ['runtime', `${runtime.name} ${runtime.version} (${runtime.accelerator})`],
    ['self-test', test],
  ];
  const row = ([key, value]) => [h('dt', {}, i18n.t(`model.${key}`)), h('dd', {}, value)];
  return h('dl', {class: 'facts'}, rows.map(row));
}

function precision(app, say) {
  const {i18n, settings, model} = app;
  const choose = async ({target}) => {
    settings.set({precision: target.value});
    say(outcome(app, await model.update(), say));
  };
  return h('div', {class: 'field'},
    h('label', {for: 'setting-precision', class: 'strong'}, i18n.t('model.precision')),
    h('select', {id: 'setting-precision', onchange: choose},
      PRECISIONS.map((name) => h('option', {value: name, selected: settings.values.precision === name}, name))));
}

/** What an update came to, in words; an older version is offered, not taken. */
function outcome(app, update, say) {
  const {i18n, model} = app;
  if (!update) return [i18n.t('model.kept', {why: ''}), reason(i18n, model.error)];
  if (update.changed) return i18n.t('model.updated', {version: named(model)});
  if (!update.older) return i18n.t('model.current');
  const take = button(i18n, 'older', async () => say(outcome(app, await model.update({allowOlder: true}), say)));
  return [i18n.t('model.older.offered', {version: update.version}), ' ', take];
}

function trust({i18n, model}, say) {
  return button(i18n, 'trust', async () => {
    if (!confirm(i18n.t('model.trust.sure'))) return;
    say(i18n.t('model.trusted', {key: await model.trust()}));
    await model.update();
  });
}

function named({release}) {
  return `${release.manifest.name} ${release.manifest.version}`;
}

function button(i18n, key, act) {
  return h('button', {type: 'button', onclick: act}, i18n.t(`model.${key}`));
}
