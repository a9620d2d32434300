/* Calls one signature of a SavedModel by TensorFlow's C API alone.

   saved_model FOLDER OUTPUT FILE [INPUT TYPE DIMENSIONS FILE]...

   OUTPUT and INPUT are names of operations, each of which has one result; TYPE is a number of
   TF_DataType; DIMENSIONS are numbers with commas between them; a FILE holds raw numbers. Writes the
   output's numbers, or exits with 1 and the status' sentence. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

enum { MOST_INPUTS = 8, MOST_DIMENSIONS = 8 };

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void check(TF_Status *status) {
  if (TF_GetCode(status) != TF_OK) fail(TF_Message(status));
}

static TF_Output find(TF_Graph *graph, const char *name) {
  /* The part after a colon is the number of the result. */
  char operation[256];
  snprintf(operation, sizeof operation, "%s", name);
  char *colon = strchr(operation, ':');
  int index = 0;
  if (colon) {
    *colon = 0;
    index = atoi(colon + 1);
  }
  TF_Output found = {TF_GraphOperationByName(graph, operation), index};
  if (!found.oper) fail("there is no such operation");
  return found;
}

static TF_Tensor *read_tensor(const char *type, const char *dimensions, const char *path) {
  int64_t sides[MOST_DIMENSIONS];
  int rank = 0;
  char text[256];
  snprintf(text, sizeof text, "%s", dimensions);
  for (char *part = strtok(text, ","); part && rank < MOST_DIMENSIONS; part = strtok(NULL, ","))
    sides[rank++] = atoll(part);
  FILE *file = fopen(path, "rb");
  if (!file) fail("an input's file cannot be read");
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  TF_Tensor *tensor = TF_AllocateTensor((TF_DataType)atoi(type), sides, rank, size);
  if (fread(TF_TensorData(tensor), 1, size, file) != size) fail("an input's file is short");
  fclose(file);
  return tensor;
}

int main(int count, char **arguments) {
  if (count < 4 || (count - 4) % 4 || (count - 4) / 4 > MOST_INPUTS) fail("see the source");
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph, NULL, status);
  check(status);

  TF_Output inputs[MOST_INPUTS];
  TF_Tensor *values[MOST_INPUTS];
  int given = (count - 4) / 4;
  for (int i = 0; i < given; i++) {
    char **of_input = arguments + 4 + 4 * i;
    inputs[i] = find(graph, of_input[0]);
    values[i] = read_tensor(of_input[1], of_input[2], of_input[3]);
  }
  TF_Output output = find(graph, arguments[2]);
  TF_Tensor *result = NULL;
  TF_SessionRun(session, NULL, inputs, values, given, &output, &result, 1, NULL, 0, NULL, status);
  check(status);

  FILE *file = fopen(arguments[3], "wb");
  if (!file) fail("the output's file cannot be written");
  fwrite(TF_TensorData(result), 1, TF_TensorByteSize(result), file);
  return fclose(file) == 0 ? 0 : 1;
}
