"""What the TFLite target is made of: conversion, quantisation, metadata, a look into the finished file."""
