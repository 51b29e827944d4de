import {fill, h} from '../../lib/dom.js';
import {reason} from './complaint.js';

/**
 * One line on the phone's model; more where something is wrong.
 * @param {import('../main.js').App} app
 * @param {AbortSignal} signal ends it
 * @returns {HTMLElement}
 */
export function modelState({model, i18n}, signal) {
  const line = h('div', {class: 'model-state', 'aria-live': 'polite'});
  const tell = () => fill(line, ...(model.state === 'ready' ? ready(model, i18n) : notReady(model, i18n)));
  model.addEventListener('change', tell, {signal});
  tell();
  return line;
}

function ready({release, proof}, i18n) {
  const {manifest, artifact} = release;
  const parts = [`${manifest.name} ${manifest.version}`, artifact.precision, proof.runtime.accelerator];
  return [h('p', {}, h('span', {class: 'dot reachable'}), `${i18n.t('model.title')}: ${parts.join(' · ')}`)];
}

function notReady(model, i18n) {
  const text = i18n.t(`model.${model.state}`);
  if (model.state !== 'missing' && model.state !== 'failed') {
    return [h('p', {class: 'busy'}, h('span', {class: 'spinner'}), text)];
  }
  const retry = h('button', {onclick: () => (model.state === 'failed' ? location.reload() : model.update())},
    i18n.t('model.retry'));
  return [h('div', {class: 'card'},
    h('p', {class: 'strong'}, text),
    model.error && h('p', {}, reason(i18n, model.error)),
    h('div', {class: 'actions'}, retry))];
}
