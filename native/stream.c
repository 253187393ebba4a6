#include "common.h"

static PyType_Slot slots[] = {{Py_tp_doc, "to come"}, {0, NULL}};

PyType_Spec stream_spec = {"apigw_doctor.sources._native.Stream", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};
