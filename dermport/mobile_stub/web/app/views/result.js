import {fill, h} from '../../lib/dom.js';
import {icon} from '../icons.js';
import {bars} from './bars.js';
import {details} from './details.js';
import {map} from './map.js';
import {side} from './side.js';
import {verdict} from './verdict.js';
import {why} from './why.js';

/** Both answers to one photo, side by side; drawn anew when the Jetson's comes. */
export function resultView(app, {signal, argument: id}) {
  const {i18n, records, jetson, queue} = app;
  const content = h('div', {class: 'result'});
  const mapped = {on: true, label: null};
  const draw = async () => {
    const record = await records.get(id);
    if (!signal.aborted) fill(content, record ? drawn(app, record, mapped) : h('p', {}, i18n.t('result.gone')));
  };
  records.addEventListener('change', ({detail}) => detail.id === id && draw(), {signal});
  for (const source of [jetson, queue]) source.addEventListener('state', draw, {signal});
  draw();
  return [h('h1', {tabindex: -1}, i18n.t('result.title')), content];
}

function drawn({i18n, records, jetson, trials}, record, mapped) {
  const {answer} = record.jetson;
  const picture = records.picture(record.id);
  const remove = async () => {
    await trials.remove(record.id);
    location.hash = 'photo';
  };
  return [
    h('div', {class: 'glance'},
      picture && h('img', {class: 'thumbnail', src: picture, alt: i18n.t('photo.chosen')}),
      verdict(i18n, record, jetson.state)),
    h('div', {class: 'pair'},
      side(i18n, 'phone', phoneSide(record)),
      side(i18n, 'jetson', answer ? jetsonSide(record) : null, pending(record, jetson.state))),
    map(i18n, record, records.input(record.id), mapped),
    answer && why(i18n, answer, record.privacy),
    bars(i18n, record.labels, sidesOf(record)),
    details(i18n, record),
    h('div', {class: 'actions'},
      h('a', {class: 'button primary', href: '#photo'}, i18n.t('result.again')),
      h('button', {class: 'danger', onclick: remove}, i18n.t('result.delete'))),
  ];
}

function phoneSide({labels, phone}) {
  return {...phone, label: labelOf(labels, phone.label), probability: phone.probabilities[phone.label]};
}

function jetsonSide({labels, jetson}) {
  const {label, probabilities, decision} = jetson.answer.server;
  return {...decision, rule: decision.name, label: labelOf(labels, label), probability: probabilities[label]};
}

function sidesOf({phone, jetson}) {
  const sides = [{who: 'phone', probabilities: phone.probabilities}];
  return jetson.answer ? [...sides, {who: 'jetson', probabilities: jetson.answer.server.probabilities}] : sides;
}

function labelOf(labels, id) {
  return labels.find((label) => label.id === id) ?? {id, name: id};
}

function pending({jetson}, reach) {
  if (jetson.state !== 'waiting') return undefined;
  return reach === 'reachable' ? h('span', {class: 'spinner'}) : icon('wait');
}
