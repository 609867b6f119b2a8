"""The labellers behind one interface (`core.autolabel.labellers.labeller`)."""
