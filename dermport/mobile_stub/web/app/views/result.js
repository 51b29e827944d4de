import {fill, h, icon} from '../dom.js';
import {bars} from './bars.js';
import {details} from './details.js';
import {map} from './map.js';
import {side} from './side.js';
import {verdict} from './verdict.js';
import {why} from './why.js';

/** Both answers to one photo, side by side; drawn anew when the Jetson's comes. */
export function resultView(app, {signal, argument: id}) {
  const {words, records, jetson, queue} = app;
  const content = h('div', {class: 'result'});
  const mapped = {on: true, label: null};
  const draw = async () => {
    const record = await records.get(id);
    if (!signal.aborted) fill(content, record ? drawn(app, record, mapped) : h('p', {}, words.say('result.gone')));
  };
  records.addEventListener('change', ({detail}) => detail.id === id && draw(), {signal});
  for (const source of [jetson, queue]) source.addEventListener('state', draw, {signal});
  draw();
  return [h('h1', {tabindex: -1}, words.say('result.title')), content];
}

function drawn({words, records, jetson, trials}, record, mapped) {
  const {answer} = record.jetson;
  const picture = records.picture(record.id);
  const remove = async () => {
    await trials.remove(record.id);
    location.hash = 'photo';
  };
  return [
    h('div', {class: 'glance'},
      picture && h('img', {class: 'thumbnail', src: picture, alt: words.say('photo.chosen')}),
      verdict(words, record, jetson.state)),
    h('div', {class: 'pair'},
      side(words, 'phone', phoneSide(record)),
      side(words, 'jetson', answer ? jetsonSide(record) : null, pending(record, jetson.state))),
    map(words, record, records.input(record.id), mapped),
    answer && why(words, answer, record.privacy),
    bars(words, record.labels, sidesOf(record)),
    details(words, record),
    h('div', {class: 'actions'},
      h('a', {class: 'button primary', href: '#photo'}, words.say('result.again')),
      h('button', {class: 'danger', on: {click: remove}}, words.say('result.delete'))),
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
