"""The express lane: a connection that keeps asking the same way is answered by a worker process itself.

The first requests of a connection take the whole way: waitress reads them, Flask and its guards decide, a worker
answers over a pipe. Where two in a row had one head (but for length and request id), the front process lends the open
connection to a worker, with a permit that says what Flask decided about that head. The worker answers what comes with
it, and hands the connection back, with every byte that it has read, as soon as anything is out of the ordinary: another
head, a large or damaged photo, a slow sender, an old permit, a model that is being replaced. So the front process stays
the only one that decides, and a photo costs little more than its inference. It is how a network switch treats a flow:
its processor looks at the first packets, and fills the table by which the others go.
"""
